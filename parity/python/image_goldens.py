"""Tiny models of images with what transformers computes with them, as base_goldens.py makes those of texts.

    pip install transformers==5.24.0 torch safetensors==0.8.0
    python image_goldens.py ../fixtures/bases [NAME...]

reference.safetensors has pixel_values, hidden states, the outputs and a loss.
"""

import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

from base_goldens import write_manifest

SIZES = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 16, "patch_size": 4,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 3,
}

# name: class, configuration, height and width of the images
BASES = {
    "deit": ("DeiTForImageClassification", SIZES, (16, 16)),
    "deit-distilled": ("DeiTForImageClassificationWithTeacher", SIZES, (16, 16)),
    "dinov2": ("Dinov2ForImageClassification", {**SIZES, "mlp_ratio": 2, "layerscale_value": 0.5}, (20, 13)),
    "dinov2-gated": ("Dinov2Model", {**SIZES, "use_swiglu_ffn": True, "qkv_bias": False}, (16, 16)),
}


def build(name):
    class_name, fields, _ = BASES[name]
    model_class = getattr(transformers, class_name)
    torch.manual_seed(sum(map(ord, name)))
    model = model_class._from_config(model_class.config_class(**fields), attn_implementation="eager").eval().float()
    with torch.no_grad():
        for parameter, value in model.named_parameters():
            is_scale = value.dim() == 1 and parameter.endswith(("weight", "lambda1"))
            value.copy_((1.0 if is_scale else 0.0) + (0.2 if value.dim() > 1 else 0.3) * torch.randn_like(value))
    return model


def inputs(name):
    return {"pixel_values": torch.randn(2, 3, *BASES[name][2])}


def reference(name, model):
    given = inputs(name)
    stored = dict(given)
    labelled = type(model).__name__.endswith("ForImageClassification")
    if labelled:
        stored["labels"] = torch.tensor([2, 0])
    output = model(**given, **({"labels": stored["labels"]} if labelled else {}), output_hidden_states=True)
    if labelled:
        stored["loss"] = output.loss.reshape(1)
    for field in ("logits", "last_hidden_state"):
        if output.get(field) is not None:
            stored[field] = output[field]
    for i, hidden in enumerate(output.hidden_states):
        stored[f"hidden_states.{i}"] = hidden
    return stored


def make(name, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = build(name)
    with torch.no_grad():
        stored = reference(name, model)
    model.save_pretrained(folder)
    save_file({key: value.detach().contiguous() for key, value in stored.items()}, folder / "reference.safetensors")
    write_manifest(model, folder)


if __name__ == "__main__":
    for base in sys.argv[2:] or BASES:
        make(base, Path(sys.argv[1]) / base)
        print(base)
