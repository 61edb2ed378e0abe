"""Prefix tuning by PEFT on tiny bases of base_goldens.py whose positions or scores a prefix moves: cases of adapters.

    pip install peft==0.21.2 transformers==5.24.0 torch safetensors==0.8.0
    python prefix_goldens.py ../fixtures [BASE...]

Each folder has the adapter as save_pretrained writes it, a manifest, and reference.safetensors: the outputs for the inputs of the base,
with 0 at padding, the loss and its gradients.
"""

import json
import shutil
import sys
from pathlib import Path

import peft
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

# What PEFT doesn't find in MPT's configuration.
BASES = {
    "opt": {}, "gpt-bigcode": {}, "gpt-neo": {}, "bloom": {}, "mpt": {"num_attention_heads": 4, "num_layers": 2, "token_dim": 16},
}


def make(base, root):
    folder = root / "adapters" / base / "prefix-tuning"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(root / "bases" / base, attn_implementation="eager")
    adapted = peft.get_peft_model(model, peft.PrefixTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM", **BASES[base])).eval()
    torch.manual_seed(sum(map(ord, base)))
    trained = {name: value for name, value in adapted.named_parameters() if value.requires_grad}
    with torch.no_grad():
        for value in trained.values():
            value.copy_(0.5 * torch.randn_like(value))
    given = load_file(root / "bases" / base / "reference.safetensors")
    mask = given["attention_mask"]
    output = adapted(input_ids=given["input_ids"], attention_mask=mask, labels=given["labels"])
    output.loss.backward()
    stored = {"logits": output.logits * mask.unsqueeze(-1), "loss": output.loss.reshape(1)}
    stored |= {"grad." + name: value.grad for name, value in trained.items()}
    adapted.peft_config["default"].base_model_name_or_path = "bases/" + base
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    save_file({name: value.detach().contiguous() for name, value in stored.items()}, folder / "reference.safetensors")
    write_manifest(base, adapted, folder)


def write_manifest(base, adapted, folder):
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        tensors = [
            {"name": key, "shape": list(file.get_slice(key).get_shape()), "dtype": file.get_slice(key).get_dtype()}
            for key in sorted(file.keys())
        ]
    trainable, all_parameters = adapted.get_nb_trainable_parameters()
    manifest = {
        "about": "learned keys and values in every layer",
        "all_parameters": all_parameters,
        "base": "bases/" + base,
        "base_dtype": "float32",
        "case": "prefix-tuning",
        "inputs": {"from_base": ["attention_mask", "input_ids"], "own": []},
        "mergeable": False,
        "outputs": ["logits"],
        "peft_type": "PREFIX_TUNING",
        "task_type": "CAUSAL_LM",
        "tensors": tensors,
        "tolerance": {"atol": 1e-05, "rtol": 0.0001},
        "trainable_parameters": trainable,
        "versions": {"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=0) + "\n")


if __name__ == "__main__":
    for name in sys.argv[2:] or BASES:
        make(name, Path(sys.argv[1]))
        print(name)
