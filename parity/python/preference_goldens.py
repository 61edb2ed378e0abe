"""Losses and gradients of learning from preferences, by autograd from the formulas of TRL 1.16 (dpo_trainer.py, kto_trainer.py,
reward_trainer.py, experimental/orpo/orpo_trainer.py, experimental/cpo/cpo_trainer.py).

    python preference_goldens.py ../fixtures

The base and the adapter are fixtures that exist: llama-gqa with lora. The reward model is that base with a head of one output.
"""

import json
import os
import sys

import torch
import torch.nn.functional as F
from peft import PeftConfig, PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

root = sys.argv[1]
torch.manual_seed(7)

PROMPTS = [[5, 9, 11], [1, 30, 31, 32, 33], [40, 2]]
CHOSEN = [[7, 8, 2], [44, 2], [10, 11, 12, 13, 14, 2]]
REJECTED = [[20, 21, 22, 23, 2], [45, 46, 2], [9, 2]]
GOOD = [True, False, True]


def causal():
    base = AutoModelForCausalLM.from_pretrained(f"{root}/bases/llama-gqa", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, f"{root}/adapters/llama-gqa/lora", is_trainable=True)
    return model.eval()


def padded(rows):
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def likelihoods(model, prompts, answers):
    """Per token log-probabilities, the mask of answers, the mask of all tokens."""
    ids, mask = padded([p + a for p, a in zip(prompts, answers)])
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    logps = torch.gather(logits.log_softmax(-1), 2, ids[:, 1:].unsqueeze(2)).squeeze(2)
    answer = torch.tensor([[i >= len(p) and i < len(p) + len(a) for i in range(1, ids.shape[1])]
                           for p, a in zip(prompts, answers)]).float()
    return logps, answer, mask[:, 1:].float()


def pair(model):
    return [likelihoods(model, PROMPTS, CHOSEN), likelihoods(model, PROMPTS, REJECTED)]


def reference(model, prompts, answers):
    with torch.no_grad(), model.disable_adapter():
        logps, answer, _ = likelihoods(model, prompts, answers)
        return (logps * answer).sum(1)


def dpo(model, kind, beta, smoothing=0.0):
    (lc, ac, _), (lr, ar, _) = pair(model)
    chosen = (lc * ac).sum(1) - reference(model, PROMPTS, CHOSEN)
    rejected = (lr * ar).sum(1) - reference(model, PROMPTS, REJECTED)
    if kind == "ipo":
        chosen, rejected = chosen / ac.sum(1), rejected / ar.sum(1)
        loss = (chosen - rejected - 1 / (2 * beta)) ** 2
    elif kind == "hinge":
        loss = torch.relu(1 - beta * (chosen - rejected))
    else:
        delta = beta * (chosen - rejected)
        loss = -F.logsigmoid(delta) * (1 - smoothing) - F.logsigmoid(-delta) * smoothing
    return loss.mean(), beta * chosen, beta * rejected


def orpo(model, beta):
    (lc, ac, mc), (lr, ar, _) = pair(model)
    chosen, rejected = (lc * ac).sum(1) / ac.sum(1), (lr * ar).sum(1) / ar.sum(1)
    odds = chosen - rejected - (torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected)))
    nll = -(lc * mc).sum() / mc.sum()
    return nll - (beta * F.logsigmoid(odds)).mean(), beta * chosen, beta * rejected


def simpo(model, beta, gamma):
    (lc, ac, _), (lr, ar, _) = pair(model)
    chosen, rejected = (lc * ac).sum(1) / ac.sum(1), (lr * ar).sum(1) / ar.sum(1)
    return -F.logsigmoid(beta * (chosen - rejected - gamma / beta)).mean(), beta * chosen, beta * rejected


def cpo(model, beta, alpha, smoothing):
    (lc, ac, _), (lr, ar, _) = pair(model)
    chosen, rejected = (lc * ac).sum(1), (lr * ar).sum(1)
    delta = beta * (chosen - rejected)
    loss = -F.logsigmoid(delta) * (1 - smoothing) - F.logsigmoid(-delta) * smoothing
    return loss.mean() - alpha * chosen.sum() / ac.sum(), beta * chosen, beta * rejected


def kto(model, beta, desirable, undesirable):
    logps, answer, _ = likelihoods(model, PROMPTS, CHOSEN)
    ratio = (logps * answer).sum(1) - reference(model, PROMPTS, CHOSEN)
    others = [CHOSEN[-1]] + CHOSEN[:-1]
    with torch.no_grad():
        logps, answer, _ = likelihoods(model, PROMPTS, others)
        kl = ((logps * answer).sum(1) - reference(model, PROMPTS, others)).mean().clamp(min=0)
    good = torch.tensor(GOOD)
    loss = torch.where(good, desirable * (1 - torch.sigmoid(beta * (ratio - kl))),
                       undesirable * (1 - torch.sigmoid(beta * (kl - ratio))))
    return loss.mean(), beta * ratio, kl.reshape(1)


def reward(model, centering):
    def rewards(answers):
        ids, mask = padded([p + a for p, a in zip(PROMPTS, answers)])
        return model(input_ids=ids, attention_mask=mask).logits[:, 0]

    chosen, rejected = rewards(CHOSEN), rewards(REJECTED)
    loss = -F.logsigmoid(chosen - rejected).mean() + centering * ((chosen + rejected) ** 2).mean()
    return loss, chosen, rejected


def reward_model():
    base = AutoModelForSequenceClassification.from_pretrained(f"{root}/bases/llama-gqa", num_labels=1, dtype=torch.float32)
    base.config.pad_token_id = 0
    base.score.weight.data = torch.linspace(-1, 1, base.config.hidden_size).reshape(1, -1)
    base.save_pretrained(f"{root}/preferences/reward-model")
    adapter = f"{root}/adapters/llama-gqa/lora"
    config = PeftConfig.from_pretrained(adapter)
    config.task_type = None
    return PeftModel.from_pretrained(base, adapter, is_trainable=True, config=config).eval()


CASES = {
    "dpo": lambda m: dpo(m, "sigmoid", 0.3),
    "dpo-smoothed": lambda m: dpo(m, "sigmoid", 0.3, 0.1),
    "dpo-hinge": lambda m: dpo(m, "hinge", 0.5),
    "dpo-ipo": lambda m: dpo(m, "ipo", 0.2),
    "orpo": lambda m: orpo(m, 0.25),
    "simpo": lambda m: simpo(m, 2.0, 0.8),
    "cpo": lambda m: cpo(m, 0.3, 1.0, 0.0),
    "cpo-smoothed": lambda m: cpo(m, 0.5, 0.25, 0.2),
    "kto": lambda m: kto(m, 0.4, 1.5, 0.7),
    "reward": lambda m: reward(m, 0.0),
    "reward-centred": lambda m: reward(m, 0.05),
}

content, tensors = {"prompts": PROMPTS, "chosen": CHOSEN, "rejected": REJECTED, "good": GOOD, "cases": {}}, {}
for name, case in CASES.items():
    model = reward_model() if name.startswith("reward") else causal()
    loss, first, second = case(model)
    loss.backward()
    content["cases"][name] = {"loss": loss.item(), "first": first.tolist(), "second": second.tolist()}
    for key, value in model.named_parameters():
        if value.grad is not None and "lora" in key:
            tensors[f"{name}:{key.replace('.default', '')}"] = value.grad.contiguous()
os.makedirs(f"{root}/preferences", exist_ok=True)
with open(f"{root}/preferences/preferences.json", "w") as file:
    json.dump(content, file, indent=1)
    file.write("\n")
save_file(tensors, f"{root}/preferences/gradients.safetensors")
print({k: v["loss"] for k, v in content["cases"].items()})
