"""Tiny Llamas as bitsandbytes stores them, with what transformers computes with the values of their codes.

    pip install transformers==5.24.0 torch safetensors==0.8.0 bitsandbytes==0.50.2 accelerate
    python quantized_goldens.py ../fixtures/bases

Rows are as wide as a block or wider: with longer blocks bitsandbytes takes the wrong scales on a processor. The eight-bit layer of
bitsandbytes rounds activations as well, which is left out here: the reference is a whole model with the dequantised weights.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

import base_goldens

FIELDS = {"hidden_size": 64, "intermediate_size": 128, "num_key_value_heads": 2, "num_hidden_layers": 1}
KINDS = {
    "llama-nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "llama-fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": False},
    "llama-int8": {"load_in_8bit": True, "llm_int8_threshold": 0.0},
}


def make(name, folder):
    shutil.rmtree(folder, ignore_errors=True)
    base_goldens.BASES[name] = ("LlamaForCausalLM", FIELDS)
    whole = base_goldens.build(name)
    with tempfile.TemporaryDirectory() as plain:
        whole.save_pretrained(plain)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            plain, quantization_config=transformers.BitsAndBytesConfig(**KINDS[name], bnb_4bit_compute_dtype=torch.float32),
            dtype=torch.float32, attn_implementation="eager", device_map="cpu")
    model.save_pretrained(folder)
    import bitsandbytes.functional as functional
    with torch.no_grad():
        for module, layer in model.named_modules():
            weight = getattr(layer, "weight", None)
            if getattr(weight, "quant_state", None) is not None:
                values = functional.dequantize_4bit(weight.data, weight.quant_state)
            elif weight is not None and weight.dtype == torch.int8:
                scb = weight.SCB if getattr(weight, "SCB", None) is not None else layer.state.SCB
                values = weight.data.float() * scb.reshape(-1, 1) / 127
            else:
                continue
            whole.get_submodule(module).weight.copy_(values.float().reshape(whole.get_submodule(module).weight.shape))
        stored = base_goldens.reference(whole)
        if "int8" not in name:
            model.train()  # else a processor with bf16 products rounds to bf16
            difference = (model(input_ids=stored["input_ids"], attention_mask=stored["attention_mask"]).logits
                          - whole(input_ids=stored["input_ids"], attention_mask=stored["attention_mask"]).logits).abs().max()
            assert difference < 1e-4, difference
    finish(whole, folder, stored)


def finish(whole, folder, stored):
    """Writes what belongs to a base beside the model itself."""
    (folder / "generation_config.json").unlink(missing_ok=True)
    save_file(stored, folder / "reference.safetensors")
    with safe_open(folder / "model.safetensors", "pt") as file:
        tensors = [
            {"name": key, "shape": list(file.get_slice(key).get_shape()), "dtype": file.get_slice(key).get_dtype()}
            for key in sorted(file.keys())
        ]
    manifest = {
        "architecture": type(whole).__name__,
        "compare": "only positions whose attention mask is 1; padded positions are stored as 0",
        "parameters": sum(value.numel() for value in whole.parameters()),
        "tensors": tensors,
        "tolerance": {"atol": 1e-05, "rtol": 0.0001},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=0) + "\n")


if __name__ == "__main__":
    for base in KINDS:
        make(base, Path(sys.argv[1]) / base)
        print(base)
