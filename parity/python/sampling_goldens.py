"""The probabilities that transformers samples the next token with, for logits and options.

    pip install transformers==5.24.0 torch
    python sampling_goldens.py ../fixtures/sampling/cases.json

The processors are those of generate, in its order.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

SIZE = 40
OPTIONS = [
    {}, {"temperature": 0.7}, {"top_k": 5}, {"top_p": 0.8}, {"min_p": 0.1}, {"repetition_penalty": 1.4},
    {"temperature": 1.5, "top_k": 12, "top_p": 0.9}, {"temperature": 0.6, "top_p": 0.5, "min_p": 0.2},
    {"repetition_penalty": 0.8, "temperature": 1.2, "top_k": 20, "top_p": 0.95, "min_p": 0.05},
    {"top_k": 1}, {"top_p": 0.01}, {"top_k": 100, "min_p": 1.0},
]

if __name__ == "__main__":
    torch.manual_seed(3)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=SIZE, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
    cases = []
    for options in OPTIONS:
        logits = 2 * torch.randn(SIZE)
        seen = torch.randint(0, SIZE, (6,))
        config = GenerationConfig(do_sample=True, **{"top_k": 0, **options})
        processors = model._get_logits_processor(config, input_ids_seq_length=6)
        scores = processors(seen[None], logits[None].clone())[0]
        cases.append({
            "options": options, "seen": seen.tolist(), "logits": logits.tolist(), "probabilities": scores.softmax(0).tolist()})
    path = Path(sys.argv[1])
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(cases) + "\n")
