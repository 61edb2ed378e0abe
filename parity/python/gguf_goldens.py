"""Small GGUF files with every storage type Graft decodes, and their values as the gguf package decodes them.

    pip install gguf==0.19.0 numpy==2.4.6 safetensors==0.8.0
    python gguf_goldens.py ../fixtures/gguf

quants.gguf           random blocks with finite scales, plain types, one key of every metadata type
quants.safetensors    the same tensors as float32
"""

import sys
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import dequantize
from safetensors.numpy import save_file

QUANTISED = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K".split()
# Byte offsets of the float16 scales inside one block.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}
SHAPE = (2, 512)


def random_blocks(rng, type_):
    elements, size = gguf.GGML_QUANT_SIZES[type_]
    blocks = rng.integers(0, 256, (SHAPE[0] * SHAPE[1] // elements, size), dtype=np.uint8)
    for offset in SCALES[type_.name]:
        scales = rng.normal(0, 0.05, len(blocks)).astype(np.float16)
        scales[0] = np.float16(3e-7)  # subnormal
        blocks[:, offset:offset + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(SHAPE[0], -1)


def main(folder):
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(folder / "quants.gguf"), "llama")
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 2**64 - 1)
    writer.add_int64("test.i64", -(2**62))
    writer.add_float32("test.f32", 0.1)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "grüße 木")
    writer.add_array("test.strings", ["a", "Ġb", ""])
    writer.add_array("test.integers", [1, -2, 3])
    writer.add_array("test.floats", [0.5, -1.25])
    expected = {}
    for name in QUANTISED:
        type_ = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(rng, type_)
        writer.add_tensor(name, blocks, raw_dtype=type_)
        expected[name] = dequantize(blocks, type_).astype(np.float32).reshape(SHAPE)
    values = rng.normal(0, 1, (2, 3, 4)).astype(np.float32)
    half = values.astype(np.float16)
    brain = gguf.quants.quantize(values, gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("F32", values)
    writer.add_tensor("F16", half)
    writer.add_tensor("BF16", brain, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("I32", np.array([1, -2, 70000], dtype=np.int32))
    expected["F32"] = values
    expected["F16"] = half.astype(np.float32)
    expected["BF16"] = dequantize(brain, gguf.GGMLQuantizationType.BF16).reshape(values.shape)
    expected["I32"] = np.array([1, -2, 70000], dtype=np.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, str(folder / "quants.safetensors"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
