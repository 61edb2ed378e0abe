"""A safetensors file with every type and awkward names, and JSON text as Python writes it.

    pip install safetensors==0.8.0 numpy==2.4.6
    python safetensors_goldens.py ../fixtures
"""

import json
import random
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors import TensorSpec, serialize

WIDTHS = {
    "bool": 1, "uint8": 1, "int8": 1, "float8_e5m2": 1, "float8_e4m3fn": 1, "int16": 2, "float16": 2, "bfloat16": 2,
    "int32": 4, "float32": 4, "float64": 8, "int64": 8,
}


def tensors():
    rng = random.Random(7)
    made = {}
    for dtype, width in WIDTHS.items():
        for name, shape in (("z." + dtype, [3]), ("a." + dtype, [2, 5]), ("ü \"木\"\n😀." + dtype, []), ("empty." + dtype, [0, 4])):
            count = 1
            for size in shape:
                count *= size
            data = bytes(rng.randrange(2) if dtype == "bool" else rng.randrange(256) for _ in range(count * width))
            made[name] = (dtype, shape, np.frombuffer(data, dtype=np.uint8))
    return made


def spec(dtype, shape, data):
    return TensorSpec(dtype=dtype, shape=shape, data_ptr=data.ctypes.data, data_len=data.nbytes)


def numbers():
    rng = random.Random(7)
    doubles = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(500)]
    doubles += [rng.uniform(-1, 1) * 10.0 ** rng.randrange(-20, 25) for _ in range(300)]
    doubles += [round(rng.uniform(0, 100), rng.randrange(8)) for _ in range(200)]
    doubles += [0.0, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e16, 1e15, 1e-4, 1e-5, 2e-3, 1e23, 2.0**-44]
    return [d for d in doubles if d == d and abs(d) != float("inf")]


def main(folder):
    (folder / "safetensors").mkdir(parents=True, exist_ok=True)
    (folder / "json").mkdir(parents=True, exist_ok=True)
    kept_alive = tensors()
    content = serialize({name: spec(*tensor) for name, tensor in kept_alive.items()}, {"format": "pt"})
    (folder / "safetensors" / "types.safetensors").write_bytes(content)
    value = {
        "numbers": numbers(),
        "integers": [0, -1, 2**31, -(2**63), 2**70],
        "nested": {"b": [], "a": {}, "c": [None, True, False, [1, [2]], {"x": {"y": "z"}}]},
        "strings": ["", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "ü木😀\u2028"],
        "\ufb01 after the emoji in UTF-16, before it in code points": 1,
        "😀": 2,
        "B": 3,
        "a": 4,
    }
    (folder / "json" / "python.json").write_text(json.dumps(value, indent=2, sort_keys=True))
    (folder / "json" / "python-compact.json").write_text(json.dumps(value, separators=(",", ":")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
