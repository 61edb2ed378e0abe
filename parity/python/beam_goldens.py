"""What transformers' beam search writes on tiny bases, for several settings.

    pip install transformers==5.24.0 torch safetensors==0.8.0
    python beam_goldens.py ../fixtures/bases ../fixtures/beams.json
"""

import itertools
import json
import sys
from pathlib import Path

import torch
import transformers

BASES = {"t5": 116, "bart": 64, "llama-gqa": 100, "gpt2": 100}
SETTINGS = [
    {"num_beams": 3},
    {"num_beams": 2, "length_penalty": 0.2, "early_stopping": True},
    {"num_beams": 4, "length_penalty": -1.0, "no_repeat_ngram_size": 2},
    {"num_beams": 3, "length_penalty": 2.0, "early_stopping": "never"},
    {"num_beams": 3, "early_stopping": True, "repetition_penalty": 1.5},
    {"num_beams": 1, "no_repeat_ngram_size": 3},
]


def main(bases, target):
    cases = []
    for base in BASES:
        config = transformers.AutoConfig.from_pretrained(bases / base)
        architecture = getattr(transformers, config.architectures[0])
        model = architecture.from_pretrained(bases / base, attn_implementation="eager").eval().float()
        torch.manual_seed(5)
        prompts = torch.randint(4, config.vocab_size, (2, 5)).tolist()
        for prompt, settings in itertools.product(prompts, SETTINGS):
            with torch.no_grad():
                plain = model.generate(torch.tensor([prompt]), max_new_tokens=10, do_sample=False, eos_token_id=[], pad_token_id=0)[0]
                # A token that greedy search writes ends texts, so that some do end.
                end = int(plain[-3])
                out = model.generate(
                    torch.tensor([prompt]), max_new_tokens=10, do_sample=False, eos_token_id=end, pad_token_id=0,
                    forced_eos_token_id=None, forced_bos_token_id=None, **settings)[0]
            start = 1 if config.is_encoder_decoder else len(prompt)
            ids = out[start:].tolist()
            if end in ids:
                ids = ids[: ids.index(end) + 1]
            cases.append({"base": base, "prompt": prompt, "end": end, "settings": settings, "ids": ids})
    target.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(len(cases), sum(case["ids"][-1] == case["end"] for case in cases), "end")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
