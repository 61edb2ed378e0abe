"""Golden numbers of optimisers, step by step.

    python optimizer_goldens.py ../fixtures/optimizers/optimizers.json

Adafactor is that of transformers, AdamW with 8-bit state has the map of bitsandbytes, L-BFGS and AdamW those of torch, the preconditioner that of
PEFT, each at work; Lion is its paper's algorithm in numpy. Two parameters, a matrix and a vector, follow gradients that a test can form
again: gradient i of step t is (0.5 + |sin i|) (p - cos 2i) + 0.1 cos(3i + t), in double precision.
"""

import json
import sys

import numpy as np
import torch

SHAPES = {"weight": (20, 300), "bias": (7,)}
COUNT = sum(int(np.prod(s)) for s in SHAPES.values())
INDEX = np.arange(COUNT, dtype=np.float64)


def start():
    return np.sin(0.7 * INDEX) * 0.3


def gradient(values, step):
    pull = (0.5 + np.abs(np.sin(INDEX))) * (np.float64(values) - np.cos(2 * INDEX))
    return pull + 0.1 * np.cos(3 * INDEX + step)


def split(flat):
    parts, at = {}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        parts[name] = flat[at : at + size].reshape(shape)
        at += size
    return parts


def run(make, steps, dtype=torch.float32):
    """The sampled values after each step."""
    parameters = {n: torch.nn.Parameter(torch.tensor(p, dtype=dtype)) for n, p in split(start()).items()}
    optimizer = make(parameters)
    seen = []
    for step in range(steps):
        flat = torch.cat([p.detach().reshape(-1) for p in parameters.values()]).numpy()
        for name, grad in split(gradient(flat, step)).items():
            parameters[name].grad = torch.tensor(grad, dtype=dtype)
        optimizer.step()
        seen.append(sample(torch.cat([p.detach().reshape(-1) for p in parameters.values()]).numpy()))
    return seen


def sample(flat):
    return [float(v) for v in np.concatenate([flat[:-7:307], flat[-7:]])]


def adafactor():
    from transformers.optimization import Adafactor

    cases = []
    for options in (
        dict(lr=0.05, scale_parameter=False, relative_step=False),
        dict(lr=0.05, scale_parameter=True, relative_step=False, weight_decay=0.1, beta1=0.9),
        dict(lr=None, scale_parameter=True, relative_step=True),
        dict(lr=None, scale_parameter=False, relative_step=True, warmup_init=True),
        dict(lr=0.05, scale_parameter=False, relative_step=False, clip_threshold=0.2, decay_rate=-0.5),
    ):
        cases.append({"options": options, "values": run(lambda p, o=options: Adafactor(p.values(), **o), 6)})
    return cases


def adamw_8bit():
    """bitsandbytes' map and update; its own kernel on CPUs misses the nearest level in near ties, so the levels are found here."""
    from bitsandbytes.functional import create_dynamic_map

    maps = {signed: create_dynamic_map(signed) for signed in (True, False)}

    def rounded(x, signed):
        levels = maps[signed]
        blocks = torch.nn.functional.pad(x.reshape(-1), (0, -x.numel() % 256)).reshape(-1, 256)
        largest = blocks.abs().amax(1, keepdim=True)
        codes = torch.bucketize(blocks * (1 / largest.clamp(min=1e-38)), (levels[1:] + levels[:-1]) / 2)
        return (levels[codes] * largest).reshape(-1)[: x.numel()].reshape(x.shape)

    class AdamW8bit:
        def __init__(self, parameters, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
            self.parameters, self.t = list(parameters), 0
            self.lr, self.betas, self.eps, self.decay = lr, betas, eps, weight_decay
            self.moments = [(torch.zeros_like(p.data), torch.zeros_like(p.data)) for p in self.parameters]

        def step(self):
            self.t += 1
            b1, b2 = self.betas
            for i, p in enumerate(self.parameters):
                m, v = self.moments[i]
                m.mul_(b1).add_(p.grad, alpha=1 - b1)
                v.mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
                p.data.mul_(1 - self.lr * self.decay)
                root = (v.sqrt() / (1 - b2**self.t) ** 0.5).add_(self.eps)
                p.data.addcdiv_(m, root, value=-self.lr / (1 - b1**self.t))
                if p.numel() >= 4096:
                    self.moments[i] = (rounded(m, True), rounded(v, False))

    cases = []
    for options in (dict(lr=0.05), dict(lr=0.01, weight_decay=0.1, betas=[0.8, 0.95], eps=1e-6)):
        cases.append({"options": options, "values": run(lambda p, o=options: AdamW8bit(p.values(), **o), 6)})
    return {"cases": cases, "signed": maps[True].tolist(), "unsigned": maps[False].tolist()}


def lion():
    cases = []
    for options in (dict(lr=0.01, betas=[0.9, 0.99], weight_decay=0.0), dict(lr=0.003, betas=[0.95, 0.98], weight_decay=0.5)):
        p, m, seen = np.float32(start()), np.zeros(COUNT, np.float32), []
        b1, b2 = options["betas"]
        for step in range(6):
            g = np.float32(gradient(p, step))
            p = p * np.float32(1 - options["lr"] * options["weight_decay"])
            p = np.float32(p - options["lr"] * np.sign(np.float32(b1) * m + np.float32(1 - b1) * g))
            m = np.float32(b2) * m + np.float32(1 - b2) * g
            seen.append(sample(p))
        cases.append({"options": options, "values": seen})
    return cases


def lbfgs():
    """On a function of 30 values with curved valleys, in double precision, four steps."""
    cases = []
    for options in (
        dict(lr=0.5, max_iter=1),
        dict(lr=0.2, max_iter=7, history_size=3),
        dict(lr=1.0, max_iter=12, line_search_fn="strong_wolfe"),
        dict(lr=1.0, max_iter=20, max_eval=9, history_size=5, line_search_fn="strong_wolfe"),
    ):
        i = torch.arange(30, dtype=torch.float64)
        p = torch.nn.Parameter(torch.sin(0.7 * i) * 0.3)
        optimizer = torch.optim.LBFGS([p], **options)
        seen, losses = [], []

        def closure():
            optimizer.zero_grad()
            loss = ((1 + i / 10) * (p - torch.cos(2 * i)) ** 2).sum() + 5 * ((p[1:] - p[:-1] ** 2) ** 2).sum()
            loss.backward()
            return loss

        for _ in range(4):
            losses.append(float(optimizer.step(closure).detach()))
            seen.append(p.detach().tolist())
        cases.append({"options": options, "losses": losses, "values": seen})
    return cases


def riemannian():
    from peft.optimizers.riemannian import _collect_lora_pairs, _RiemannianPreconditioner

    cases = []
    for options in (dict(lr=0.05, reg=1e-2), dict(lr=0.02, reg=0.1, weight_decay=0.1)):

        class Layer(torch.nn.Module):
            def __init__(self):
                super().__init__()
                i, j = np.arange(4 * 9), np.arange(6 * 4)
                self.lora_A = torch.nn.ModuleDict({"default": torch.nn.Linear(9, 4, bias=False)})
                self.lora_B = torch.nn.ModuleDict({"default": torch.nn.Linear(4, 6, bias=False)})
                self.other = torch.nn.Parameter(torch.tensor(np.cos(0.7 * np.arange(5.0) ** 2), dtype=torch.float32))
                with torch.no_grad():
                    self.lora_A["default"].weight.copy_(torch.tensor(np.sin(0.7 * i * i + 1.0).reshape(4, 9)))
                    self.lora_B["default"].weight.copy_(torch.tensor(np.cos(0.7 * j * j + 2.0).reshape(6, 4)))

        model = torch.nn.ModuleDict({"base": Layer()})
        preconditioner = _RiemannianPreconditioner(_collect_lora_pairs(model), options["reg"])
        parameters = list(model.parameters())
        optimizer = torch.optim.AdamW(parameters, lr=options["lr"], weight_decay=options.get("weight_decay", 0.0))
        seen = []
        for step in range(5):
            for p in parameters:
                k = np.arange(p.numel(), dtype=np.float64)
                p.grad = torch.tensor(np.sin(k * 0.9 + step).reshape(p.shape), dtype=torch.float32)
            preconditioner.step()
            optimizer.step()
            layer = model["base"]
            kept = (layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.other)
            seen.append([v for p in kept for v in p.detach().reshape(-1).tolist()])
        cases.append({"options": options, "values": seen})
    return cases


if __name__ == "__main__":
    content = {
        "adafactor": adafactor(), "adamw_8bit": adamw_8bit(), "lion": lion(), "lbfgs": lbfgs(),
        "riemannian": riemannian(),
    }
    with open(sys.argv[1], "w") as file:
        json.dump(content, file)
        file.write("\n")
