"""Losses, gradients and vectors of sentence-transformers 6.3.0 (torch 2.15.0, transformers 5.24.0) for pairs, triplets and scored pairs.

    python embedding_goldens.py ../fixtures

The base is a fixture that exists: bert-base.
"""

import json
import os
import sys

import torch
from sentence_transformers import SentenceTransformer, losses, models

PAIRS = [
    ("the tree is on the tent", "we test the tree", "on"),
    ("we test", "the test", "the tent is the tree on the tent is the tree"),
    ("tent", "is the tent on", "we we we"),
    ("the test is on", "the tree", "tent on we"),
]
SCORES = [0.9, 0.1, -0.5, 0.4]

root = sys.argv[1]
base = os.path.join(root, "bases", "bert-base")
torch.set_num_threads(1)


def model(mode, normalized):
    transformer = models.Transformer(base)
    parts = [transformer, models.Pooling(transformer.get_embedding_dimension(), pooling_mode=mode)]
    if normalized:
        parts.append(models.Normalize())
    return SentenceTransformer(modules=parts, device="cpu").eval()


def features(st, texts):
    return st.preprocess(texts) if hasattr(st, "preprocess") else st.tokenize(texts)


golden = {"pairs": PAIRS, "scores": SCORES, "vectors": {}, "losses": {}, "gradients": {}}
texts = [row[0] for row in PAIRS]
for mode in ("mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"):
    golden["vectors"][mode] = model(mode, False).encode(texts).tolist()
golden["vectors"]["normalized"] = model("mean", True).encode(texts).tolist()

st = model("mean", False)
columns = [[row[i] for row in PAIRS] for i in range(3)]
scored = torch.tensor(SCORES)


def loss(name, build, count, labels=None):
    st.zero_grad()
    value = build(st)([features(st, column) for column in columns[:count]], labels)
    value.backward()
    weight = dict(st.named_parameters())
    key = next(n for n in weight if n.endswith("encoder.layer.0.attention.self.query.weight"))
    golden["losses"][name] = value.item()
    golden["gradients"][name] = weight[key].grad.flatten()[:8].tolist()


mnrl = losses.MultipleNegativesRankingLoss
loss("in_batch_negatives", lambda m: mnrl(m), 2)
loss("in_batch_negatives_hard", lambda m: mnrl(m), 3)
loss("in_batch_negatives_scale", lambda m: mnrl(m, scale=50.0), 2)
loss("cosine", lambda m: losses.CosineSimilarityLoss(m), 2, scored)
loss("triplet", lambda m: losses.TripletLoss(m, triplet_margin=1.5), 3)
loss("matryoshka", lambda m: losses.MatryoshkaLoss(m, mnrl(m), [16, 8, 4]), 2)
loss("matryoshka_cosine", lambda m: losses.MatryoshkaLoss(m, losses.CosineSimilarityLoss(m), [16, 8]), 2, scored)
os.makedirs(os.path.join(root, "embeddings"), exist_ok=True)
with open(os.path.join(root, "embeddings", "sentence-transformers.json"), "w") as file:
    json.dump(golden, file, indent=1)
