"""A tiny Llama in four bits as MLX stores it, with what transformers computes with the values of its codes.

    pip install "mlx[cpu]==0.32.4" transformers==5.24.0 torch safetensors==0.8.0
    python mlx_goldens.py ../fixtures

As mlx_lm.convert does, every linear layer and the embedding are quantised. Beside it the codes of a matrix whose groups have every kind of
range: around zero, all zero, above it, below it, and a point.
"""

import json
import shutil
import sys
from pathlib import Path

import mlx.core as mlx
import numpy
import torch
from safetensors.numpy import save_file

import base_goldens
from quantized_goldens import FIELDS, finish

NAME, GROUP = "llama-mlx", 64


def make(folder):
    shutil.rmtree(folder, ignore_errors=True)
    base_goldens.BASES[NAME] = ("LlamaForCausalLM", FIELDS)
    whole = base_goldens.build(NAME)
    whole.save_pretrained(folder)
    stored = {}
    with torch.no_grad():
        for name, value in whole.state_dict().items():
            if value.dim() != 2:
                stored[name] = value.numpy()
                continue
            parts = mlx.quantize(mlx.array(value.numpy()), group_size=GROUP, bits=4)
            value.copy_(torch.from_numpy(numpy.array(mlx.dequantize(*parts, group_size=GROUP, bits=4))))
            for part, content in zip(("weight", "scales", "biases"), parts):
                stored[name.removesuffix("weight") + part] = numpy.array(content)
    save_file(stored, folder / "model.safetensors", {"format": "mlx"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization"] = config["quantization_config"] = {"group_size": GROUP, "bits": 4, "mode": "affine"}
    (folder / "config.json").write_text(json.dumps(config, indent=4) + "\n")
    finish(whole, folder, base_goldens.reference(whole))


def codes(file):
    weight = (0.05 * numpy.random.default_rng(1).standard_normal((5, 64))).astype(numpy.float32)
    weight[1] = 0
    weight[2] = abs(weight[2])
    weight[3] = -abs(weight[3])
    weight[4] = 0.25
    parts = mlx.quantize(mlx.array(weight), group_size=32, bits=4)
    stored = dict(zip(("weight", "scales", "biases"), map(numpy.array, parts)))
    save_file({"values": weight, **stored}, file)


if __name__ == "__main__":
    make(Path(sys.argv[1]) / "bases" / NAME)
    codes(Path(sys.argv[1]) / "quantized" / "mlx.safetensors")
