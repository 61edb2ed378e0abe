"""What PEFT's Arrow computes with three experts on a tiny Llama, without and with general experts.

    pip install peft==0.21.2 torch transformers safetensors==0.8.0
    python arrow_goldens.py ../fixtures

Writes composition/llama-gqa/arrow and arrow-gks: the folders that PEFT saves, before its first forward pass, which takes the general
experts' mean off the others in place, and the logits. Configurations name the base by its folder in the tree.
"""

import json
import os
import pathlib
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import ArrowConfig, create_arrow_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

os.chdir(sys.argv[1])
BASE = "bases/llama-gqa"
inputs = load_file(f"{BASE}/reference.safetensors")
ids, mask = inputs["input_ids"], inputs["attention_mask"]


def base():
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)


def expert(folder, seed):
    torch.manual_seed(seed)
    config = LoraConfig(r=3, lora_alpha=6 + seed, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(base(), config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.mul_(2)
    model.save_pretrained(folder)


def case(name, general, **settings):
    folder = pathlib.Path(f"composition/llama-gqa/{name}")
    shutil.rmtree(folder, ignore_errors=True)
    made = pathlib.Path("made")
    for seed in range(5):
        expert(made / str(seed), seed)
    model = create_arrow_model(
        base(),
        [str(made / str(i)) for i in range(3)],
        ArrowConfig(use_gks=general, **settings),
        [str(made / str(i)) for i in range(3, 5)] if general else None,
    ).eval()
    model.save_pretrained(str(folder))
    shutil.rmtree(made)
    (folder / "README.md").unlink(missing_ok=True)
    for card in folder.glob("*/README.md"):
        card.unlink()
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
    save_file({"logits": logits.contiguous()}, folder / "reference.safetensors")
    manifest = {
        "about": "each token takes some of three LoRA experts at each layer",
        "base": BASE,
        "case": name,
        "peft_type": "LORA",
        "router": "arrow_router",
        "tolerance": {"atol": 1e-4, "rtol": 1e-3},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


case("arrow", False, top_k=2, router_temperature=0.7, rng_seed=3)
case("arrow-gks", True, top_k=1, router_temperature=1.0, rng_seed=5)
