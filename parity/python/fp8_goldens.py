"""Checkpoints of 8-bit floats with scales, and what transformers computes with the decoded values.

    pip install transformers==5.24.0 torch safetensors==0.8.0
    python fp8_goldens.py ../fixtures/fp8

One tiny Llama as it is written by four tools: DeepSeek's blocks, a scale for each row and one for a matrix as compressed-tensors has them,
and scales that no configuration speaks of. reference.safetensors has the decoded matrices, the inputs and the logits.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

BLOCK = [8, 12]


def compressed(strategy):
    weights = {"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": True, "dynamic": False}
    return {
        "quant_method": "compressed-tensors", "format": "float-quantized", "quantization_status": "compressed", "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None}},
    }


KINDS = {
    "blocks": ("_scale_inv", torch.float8_e4m3fn, {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": BLOCK}),
    "rows": ("_scale", torch.float8_e4m3fn, compressed("channel")),
    "whole": ("_scale", torch.float8_e5m2, compressed("tensor")),
    "bare": ("_scale", torch.float8_e4m3fn, None),
}


def quantize(weight, kind, dtype):
    """The codes, the scales and the decoded values of a matrix."""
    rows, columns = weight.shape
    down, across = {"blocks": BLOCK, "rows": (1, columns)}.get(kind, (rows, columns))
    scales = torch.zeros(-(-rows // down), -(-columns // across))
    codes, decoded = torch.zeros_like(weight).to(dtype), torch.zeros_like(weight)
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            place = (slice(i * down, (i + 1) * down), slice(j * across, (j + 1) * across))
            scales[i, j] = weight[place].abs().max() / torch.finfo(dtype).max
            codes[place] = (weight[place] / scales[i, j]).to(dtype)
            decoded[place] = codes[place].float() * scales[i, j]
    return codes, scales if kind in ("blocks", "rows") else scales.reshape(()), decoded


def main(folder):
    torch.manual_seed(8)
    config = LlamaConfig(
        vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=32)
    for kind, (suffix, dtype, settings) in KINDS.items():
        model = LlamaForCausalLM._from_config(config, attn_implementation="eager").eval().float()
        stored, reference = {}, {}
        with torch.no_grad():
            for name, value in model.state_dict().items():
                value.copy_(0.2 * torch.randn_like(value) + (1 if "norm" in name else 0))
                if name.endswith("_proj.weight"):
                    stored[name], stored[name + suffix], decoded = quantize(value, kind, dtype)
                    value.copy_(decoded)
                    reference[name] = value.clone()
                else:
                    stored[name] = value.clone()
            ids = torch.randint(0, 48, (2, 7))
            reference |= {"input_ids": ids, "logits": model(ids).logits.contiguous()}
        out = Path(folder) / kind
        out.mkdir(parents=True, exist_ok=True)
        fields = config.to_dict() | {"architectures": ["LlamaForCausalLM"], "dtype": "float32"}
        if settings is not None:
            fields["quantization_config"] = settings
        (out / "config.json").write_text(json.dumps(fields, indent=1, sort_keys=True) + "\n")
        save_file(stored, out / "model.safetensors", {"format": "pt"})
        save_file(reference, out / "reference.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
