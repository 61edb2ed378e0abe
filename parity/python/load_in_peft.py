"""Loads an adapter that Graft saved with Python's PEFT, and compares logits.

    graft logits --model file:BASE --adapter ADAPTER --input-ids IDS.json --dtype fp32 --out LOGITS.safetensors
    python load_in_peft.py BASE ADAPTER IDS.json LOGITS.safetensors

Everything is done in fp32. Exits with 1 if a key is missing or unexpected, or a logit at a position whose mask is 1 differs by more
than 1e-4. Needs torch, transformers, peft and safetensors.
"""
import argparse
import json
import sys
import warnings

import peft
import torch
import transformers
from safetensors.torch import load_file

TOLERANCE = 1e-4


def base_model(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(folder, dtype=torch.float32)
    return model.eval()


def load(folder, adapter):
    """The model with its adapter, and what PEFT says about keys that are missing or unexpected."""
    model = base_model(folder)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = peft.PeftModel.from_pretrained(model, adapter)
    problems = [str(w.message) for w in seen if "missing" in str(w.message) or "nexpected" in str(w.message)]
    stored = load_file(f"{adapter}/adapter_model.safetensors")
    expected = peft.get_peft_model_state_dict(model)
    # With bias "all" PEFT also writes a head's bias under the names of its own wrapper.
    leftover = (".original_module.bias", ".modules_to_save.bias")
    problems += [f"missing key {k}" for k in sorted(set(expected) - set(stored)) if not k.endswith(leftover)]
    problems += [f"unexpected key {k}" for k in sorted(set(stored) - set(expected))]
    return model.eval(), problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", help="the base's folder")
    parser.add_argument("adapter", help="the adapter's folder")
    parser.add_argument("ids", help="input_ids and attention_mask as JSON")
    parser.add_argument("logits", help="what graft logits wrote")
    args = parser.parse_args()

    model, problems = load(args.base, args.adapter)
    for problem in problems:
        print(problem)
    inputs = {k: torch.tensor(v) for k, v in json.load(open(args.ids)).items()}
    mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))
    with torch.no_grad():
        wanted = model(**inputs).logits
    got = load_file(args.logits)["logits"]
    if got.shape != wanted.shape:
        print(f"logits have shape {list(got.shape)}, PEFT gives {list(wanted.shape)}")
        return 1
    difference = (got - wanted).abs()
    if wanted.ndim == 3:  # a prompt's own positions come first and are always there
        prompt = torch.ones(len(mask), wanted.shape[1] - mask.shape[1], dtype=mask.dtype)
        difference = difference * torch.cat([prompt, mask], 1).unsqueeze(-1)
    worst = difference.max().item()
    print(f"largest difference {worst:.3g}, allowed {TOLERANCE}, keys missing or unexpected: {len(problems)}")
    return 0 if worst <= TOLERANCE and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
