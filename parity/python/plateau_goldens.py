"""Learning rates of PyTorch's ReduceLROnPlateau after each score.

    pip install torch
    python plateau_goldens.py ../fixtures/optimizers/plateau.json
"""

import json
import sys

import torch

torch.manual_seed(1)
CASES = [
    {}, {"patience": 1}, {"patience": 2, "factor": 0.5, "cooldown": 2}, {"mode": "max", "patience": 0, "factor": 0.3},
    {"threshold_mode": "abs", "threshold": 0.05, "patience": 1, "min_lr": 2e-4, "factor": 0.4},
    {"mode": "max", "threshold_mode": "abs", "threshold": 0.1, "patience": 1, "factor": 0.9, "eps": 5e-5},
]
cases = []
for options in CASES:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    scores, rates = (1 + 0.2 * torch.randn(30)).tolist(), []
    for score in scores:
        schedule.step(score)
        rates.append(optimizer.param_groups[0]["lr"])
    cases.append({"options": options, "scores": scores, "rates": rates})
with open(sys.argv[1], "w") as file:
    json.dump({"learning_rate": 1e-3, "cases": cases}, file, indent=0)
    file.write("\n")
