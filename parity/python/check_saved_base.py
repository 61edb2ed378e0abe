"""Checks that transformers loads a base that Graft saved, and computes the same with it.

    graft logits --model smollm2 --input-ids ids.json --dtype fp32 --hidden --out logits.safetensors
    python check_saved_base.py FOLDER ids.json logits.safetensors [--text TEXT --expected-ids 504,3575]

FOLDER is what saving the base in fp32 wrote. ids.json holds {"input_ids": [[...]], "attention_mask": [[...]]}; the
safetensors file holds "logits" of a causal model, or "hidden_states.K" whose last one is the output of a headless encoder.
Exits 1 if anything differs by more than 1e-4, beside padding.
"""

import argparse
import json
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("inputs")
    parser.add_argument("outputs")
    parser.add_argument("--text")
    parser.add_argument("--expected-ids")
    args = parser.parse_args()

    with open(args.inputs) as file:
        inputs = {name: torch.tensor(rows) for name, rows in json.load(file).items()}
    outputs = load_file(args.outputs)
    mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"]))

    causal = "logits" in outputs
    loader = AutoModelForCausalLM if causal else AutoModel
    model, report = loader.from_pretrained(args.folder, dtype=torch.float32, output_loading_info=True)
    missing = [name for name in report["missing_keys"] if not name.startswith("pooler.")]
    if missing or report["unexpected_keys"]:
        sys.exit(f"missing: {missing}, unexpected: {report['unexpected_keys']}")
    with torch.no_grad():
        result = model.eval()(**inputs)
    last = max((name for name in outputs if name.startswith("hidden_states.")), key=lambda n: int(n.split(".")[1]), default="")
    actual = outputs["logits" if causal else last]
    expected = result.logits if causal else result.last_hidden_state
    difference = ((actual - expected).abs() * mask.unsqueeze(-1)).max().item()
    print(f"{type(model).__name__}: largest difference {difference:.2e}")

    if args.text:
        tokenizer = AutoTokenizer.from_pretrained(args.folder)
        ids = tokenizer(args.text)["input_ids"]
        print(f"{type(tokenizer).__name__}: {ids}, bos {tokenizer.bos_token}, eos {tokenizer.eos_token},"
              f" pad {tokenizer.pad_token}, chat template {'yes' if tokenizer.chat_template else 'no'}")
        if ids != [int(i) for i in args.expected_ids.split(",")]:
            sys.exit(f"expected the ids {args.expected_ids}")
    if difference > 1e-4:
        sys.exit("more than 1e-4")


if __name__ == "__main__":
    main()
