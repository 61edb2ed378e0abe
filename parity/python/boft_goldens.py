"""Layers with several butterfly factors, which PEFT has only with its CUDA extension: its own code with that extension's one
function, a batch of block-diagonal matrices, written in PyTorch.

    python boft_goldens.py ../fixtures/boft
"""
import sys

import torch
from peft import BOFTConfig
from peft.tuners.boft import layer as boft
from safetensors.torch import save_file


class Extension:
    """fbd_cuda: [N, D, H, H] to [N, D H, D H]."""


class BlockDiagonal:
    @staticmethod
    def apply(blocks):
        return torch.stack([torch.block_diag(*factor) for factor in blocks])


boft.get_fbd_cuda = lambda: Extension
boft.FastBlockDiag = BlockDiagonal

if __name__ == "__main__":
    out = {}
    for size, block, factors in ((16, 2, 2), (24, 4, 2), (32, 4, 3), (32, 2, 4)):
        generator = torch.Generator().manual_seed(size + block + factors)
        base = torch.nn.Linear(size, 5)
        with torch.no_grad():
            base.weight.copy_(torch.randn(5, size, generator=generator) / size**0.5)
            base.bias.copy_(torch.randn(5, generator=generator))
        layer = boft.Linear(
            base, "default", BOFTConfig(boft_block_size=block, boft_n_butterfly_factor=factors, target_modules=["x"])
        )
        with torch.no_grad():
            layer.boft_R["default"].copy_(torch.randn(layer.boft_R["default"].shape, generator=generator) * 0.5)
            layer.boft_s["default"].copy_(1 + torch.randn(5, 1, generator=generator) * 0.3)
        x = torch.randn(3, size, generator=generator)
        with torch.no_grad():
            y = layer(x)
            rotation, scale = layer.get_delta_weight("default")
            merged = (rotation @ base.weight.T).T * scale
        prefix = f"{size}-{block}-{factors}."
        tensors = {"weight": base.weight, "bias": base.bias, "x": x, "y": y, "merged": merged}
        tensors |= {"boft_R": layer.boft_R["default"], "boft_s": layer.boft_s["default"]}
        out |= {prefix + name: value.detach().contiguous() for name, value in tensors.items()}
    save_file(out, sys.argv[1] + "/layers.safetensors")
