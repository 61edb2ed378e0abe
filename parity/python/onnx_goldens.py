"""A small ONNX model with initialisers of several types and ways of storing them, and npy files as NumPy writes them.

    pip install onnx==1.23.2 numpy==2.4.6
    python onnx_goldens.py ../fixtures
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def model():
    weight = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
    raw = [
        numpy_helper.from_array(weight, "onnx::MatMul_12"),
        numpy_helper.from_array(np.array([-128, 0, 127], dtype=np.int8), "w_quantized"),
        numpy_helper.from_array(np.array([0, 128, 255], dtype=np.uint8), "w_zero_point"),
        numpy_helper.from_array(np.array(7, dtype=np.int64), "scalar"),
        numpy_helper.from_array(np.array(["a", "b"]), "strings"),
    ]
    typed = [
        helper.make_tensor("encoder.layer.0.dense.bias", TensorProto.FLOAT, [3], [0.5, -1.5, 2.0]),
        helper.make_tensor("halves", TensorProto.FLOAT16, [2], np.array([0.1, -2], dtype=np.float16)),
        helper.make_tensor("bytes", TensorProto.INT8, [2], [-5, 5]),
        helper.make_tensor("longs", TensorProto.INT64, [2], [-(2**62), 3]),
        helper.make_tensor("doubles", TensorProto.DOUBLE, [1], [0.1]),
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "onnx::MatMul_12"], ["y"], name="/encoder/layer.0/dense/MatMul"),
        helper.make_node("Add", ["encoder.layer.0.dense.bias", "y"], ["z"], name="/encoder/layer.0/dense/Add"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 3])],
        initializer=raw + typed,
    )
    made = helper.make_model(graph, producer_name="graft-fixtures")
    helper.set_model_props(made, {"author": "nobody"})
    onnx.checker.check_model(made)
    return made


def main(folder):
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "npy").mkdir(parents=True, exist_ok=True)
    onnx.save(model(), str(folder / "onnx" / "tiny.onnx"))
    np.save(folder / "npy" / "matrix.npy", np.array([[1.5, -2, 3], [4, 5, 6e-8]], dtype=np.float32))
    np.save(folder / "npy" / "vector.npy", np.array([1, -(2**62)], dtype=np.int64))
    np.save(folder / "npy" / "scalar.npy", np.float64(0.1))
    np.save(folder / "npy" / "fortran.npy", np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
    np.save(folder / "npy" / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
