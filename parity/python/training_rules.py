"""Golden numbers for methods that act while they train and that the reference library lacks.

    python training_rules.py ../fixtures/rules/training_rules.json

Plain numpy from the formulas of the papers, without a line of Graft: SoRA's update and proximal step, DyLoRA's update at each rank,
Child-Tuning's mask by Fisher information, ULMFiT's discriminative rates.
"""

import json
import sys

import numpy as np

rng = np.random.default_rng(20240607)


def numbers(array):
    return {"shape": list(np.shape(array)), "values": [float(v) for v in np.float32(array).ravel()]}


def sora():
    a, b, g, x = (rng.normal(size=s) for s in ((5, 7), (6, 5), (5,), (3, 7)))
    alpha, rate, lam = 10.0, 0.05, 4.0
    stepped = np.array([v - rate * lam if v > rate * lam else v + rate * lam if v < -rate * lam else 0.0 for v in g])
    return {
        "a": numbers(a), "b": numbers(b), "gate": numbers(g), "x": numbers(x), "alpha": alpha,
        "y": numbers(alpha / 5 * x @ a.T @ np.diag(g) @ b.T), "rate": rate, "lambda": lam, "stepped": numbers(stepped),
    }


def dylora():
    a, b, x = (rng.normal(size=s) for s in ((4, 7), (6, 4), (3, 7)))
    alpha = 6.0
    return {
        "a": numbers(a), "b": numbers(b), "x": numbers(x), "alpha": alpha,
        "y": [numbers(alpha / n * sum(np.outer(x @ a[i], b[:, i]) for i in range(n))) for n in (1, 2, 3, 4)],
    }


def child():
    batches = [rng.normal(size=40) * rng.uniform(0.1, 3, size=40) for _ in range(3)]
    fisher = sum(batch ** 2 for batch in batches) / 3
    kept = 12
    mask = np.zeros(40)
    mask[np.argsort(fisher)[::-1][:kept]] = 1
    return {"gradients": [numbers(batch) for batch in batches], "kept": kept, "mask": numbers(mask)}


def ulmfit():
    rates = [1.0]
    for _ in range(4):
        rates.append(rates[-1] / 2.6)
    return {"rates_from_the_output": rates}


if __name__ == "__main__":
    content = {"sora": sora(), "dylora": dylora(), "child_tuning": child(), "ulmfit": ulmfit()}
    with open(sys.argv[1], "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
