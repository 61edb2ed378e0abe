"""Golden numbers for MoRA, which PEFT lacks: every entry of the update from its definition, one by one.

    python mora_goldens.py ../fixtures/layers/linear

The update of a layer with `rows` outputs and `columns` inputs, from a square matrix M of n a side:

* `rest`: input i meets column i mod n, and the first inputs once more where n doesn't divide `columns`, to fill the last round;
* `run`: inputs meet the columns in runs of neighbours, of which the first ones are longer by one where n doesn't divide;
* outputs likewise: output o is row o mod n, or the row of the run that it is in;
* `rotation`: each n inputs are a piece; input i of piece p is turned with the one n/2 away by the angle p / 10000^(2j/n), j = i mod n/2,
  before M; the answers of the pieces lie one behind the other, again from the start where they end too early.
"""

import json
import math
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

TYPES = {1: ("rest", "rest"), 2: ("run", "run"), 3: ("run", "rest"), 4: ("rest", "run"), 6: ("rotation", "rotation")}


def run_of(index, size, n):
    """The number of the run that an index of a side of that size is in."""
    longer, length = size % n, size // n
    return index // (length + 1) if index < longer * (length + 1) else longer + (index - longer * (length + 1)) // length


def places(index, size, n, kind):
    """Every place that an input takes in the rounds of n, or its one run."""
    if kind == "run":
        return [run_of(index, size, n)]
    rounds = math.ceil(size / n)
    return [place % n for place in range(index, rounds * n, size)]


def rotation(n, piece):
    """The matrix that turns a piece."""
    half = n // 2
    turn = np.zeros((n, n))
    for i in range(n):
        angle = piece / 10000 ** (2 * (i % half) / n)
        turn[i, i] += math.cos(angle)
        turn[i, (i + half) % n] += -math.sin(angle) if i < half else math.sin(angle)
    return turn


def update(m, rows, columns, kinds):
    n = len(m)
    delta = np.zeros((rows, columns))
    if kinds[0] == "rotation":
        pieces = math.ceil(columns / n)
        turned = [m @ rotation(n, piece) for piece in range(pieces)]
        for o in range(rows):
            place = o % (pieces * n)
            for j in range(n):
                delta[o, ((place // n) * n + j) % columns] += turned[place // n][place % n, j]
        return delta
    for o in range(rows):
        row = o % n if kinds[1] == "rest" else run_of(o, rows, n)
        for i in range(columns):
            for column in places(i, columns, n, kinds[0]):
                delta[o, i] += m[row, column]
    return delta


def case(folder, mora_type, rank, rows, columns):
    rng = np.random.default_rng(mora_type * 1000 + columns)
    n = int(math.sqrt((rows + columns) * rank) + 0.5)
    n = n // 2 * 2 if mora_type == 6 else n
    values = {
        "base.layer.weight": rng.normal(size=(rows, columns)) * 0.3,
        "base.layer.bias": rng.normal(size=rows) * 0.3,
        "input": rng.normal(size=(2, 3, columns)),
        "output_gradient": rng.normal(size=(2, 3, rows)),
    }
    m = (rng.normal(size=(n, n)) * 0.3).astype(np.float32)
    values = {name: value.astype(np.float32) for name, value in values.items()}
    wide = {name: value.astype(np.float64) for name, value in values.items()}
    kinds = TYPES[mora_type]
    delta = update(m.astype(np.float64), rows, columns, kinds)
    weight = wide["base.layer.weight"]
    flat = wide["output_gradient"].reshape(-1, rows).T @ wide["input"].reshape(-1, columns)
    gradient = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            one = np.zeros((n, n))
            one[i, j] = 1
            gradient[i, j] = (update(one, rows, columns, kinds) * flat).sum()
    values["output_base"] = wide["input"] @ weight.T + wide["base.layer.bias"]
    values["output"] = wide["input"] @ (weight + delta).T + wide["base.layer.bias"]
    values["merged.layer.weight"] = weight + delta
    values["input_gradient"] = wide["output_gradient"] @ (weight + delta)
    values["grad.base_model.model.layer.lora_A.default.weight"] = gradient
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value, np.float32) for name, value in values.items()}, folder / "reference.safetensors")
    names = ["base_model.model.layer.lora_A.weight", "base_model.model.layer.lora_B.weight"]
    save_file({name: m for name in names}, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "base_model_name_or_path": None,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "layers_pattern": None,
        "layers_to_transform": None,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "mora_type": mora_type,
        "peft_type": "LORA",
        "r": rank,
        "rank_pattern": {},
        "revision": None,
        "target_modules": ["layer"],
        "task_type": None,
        "use_mora": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))
    manifest = {
        "about": f"MoRA of type {mora_type}, from its definition",
        "case": folder.name,
        "layer": "linear",
        "mergeable": True,
        "module": f"Linear(in_features={columns}, out_features={rows}, bias=True)",
        "peft_type": "LORA",
        "tensors": [{"name": name, "shape": [n, n], "dtype": "F32"} for name in names],
        "tolerance": {"atol": 2e-05, "rtol": 0.0001},
        "trainable_parameters": n * n,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    for number in TYPES:
        case(target / f"mora-{number}", number, 3, 24, 16)
        case(target / f"mora-{number}-even", number, 2, 14, 18)
    case(target / "mora-6-narrow", 6, 2, 12, 40)
