"""Scores of rankings, segmentations, transcripts, samples and paired comparisons by libraries other than ours.

    pip install scikit-learn==1.9.1 scipy==1.17.1 jiwer==4.0.0
    python metric_goldens.py ../fixtures/maths/more_metrics.json
"""

import itertools
import json
import random
import sys

import jiwer
import numpy as np
from scipy import stats
from sklearn import metrics


def rankings(rng):
    for size, k in ((5, 3), (8, 5), (10, 10), (4, 1)):
        scores = rng.permutation(size).astype(float)
        grades = rng.integers(0, 3, size).astype(float)
        grades[rng.integers(0, size)] = 2.0
        order = np.argsort(-scores)
        hits = [r + 1 for r, i in enumerate(order) if grades[i] > 0 and r < k]
        yield {
            "scores": scores.tolist(), "relevance": grades.tolist(), "k": k,
            "ndcg": metrics.ndcg_score([grades], [scores], k=k), "mrr": 1 / hits[0] if hits else 0.0,
            "hit_rate": float(bool(hits)), "recall": len(hits) / int((grades > 0).sum()),
        }


def segmentations(rng):
    for classes in (2, 3, 6):
        images = []
        for _ in range(3):
            labels = rng.integers(0, min(classes, 4), 30)
            guesses = np.where(rng.random(30) < 0.6, labels, rng.integers(0, min(classes, 4), 30))
            labels[rng.integers(0, 30, 3)] = 255
            images.append({"labels": labels.tolist(), "predictions": guesses.tolist()})
        y = np.concatenate([i["labels"] for i in images])
        p = np.concatenate([i["predictions"] for i in images])
        y, p = y[y != 255], p[y != 255]
        yield {
            "classes": classes, "images": images, "mean_iou": metrics.jaccard_score(y, p, average="macro"),
            "mean_dice": metrics.f1_score(y, p, average="macro"), "pixel_accuracy": metrics.accuracy_score(y, p),
        }


def transcripts(_):
    pairs = [("the cat sat", "the cat sat on the mat"), ("a b c d", "a x c"), ("", "one two"), ("graft", "grafts"), ("x y z w", "w"),
             ("Ein Baum wächst", "Ein Baum wuchs")]
    for chosen in (pairs, pairs[:1], pairs[3:]):
        yield {
            "predictions": [p for p, _ in chosen], "references": [r for _, r in chosen],
            "wer": jiwer.wer([r for _, r in chosen], [p for p, _ in chosen]),
            "cer": jiwer.cer([r for _, r in chosen], [p for p, _ in chosen]),
        }


def samples(_):
    """The chance by drawing every subset, not by the formula."""
    for n, c, k in ((5, 2, 1), (5, 2, 3), (6, 0, 2), (4, 4, 4), (7, 1, 7)):
        draws = list(itertools.combinations(range(n), k))
        yield {"samples": n, "passing": c, "k": k, "pass": sum(min(d) < c for d in draws) / len(draws)}


def paired(_):
    for first, second in ((3, 9), (0, 5), (4, 4), (60, 31), (1, 0)):
        yield {"only_first": first, "only_second": second, "p": float(stats.binomtest(first, first + second, 0.5).pvalue)}


def votes(_):
    """Agreement averaged over all choices of all people but one."""
    generator = random.Random(3)
    for answer in ("red", "two", "a dog"):
        people = [generator.choice([answer, answer, "other"]) for _ in range(10)]
        parts = [min(sum(p == answer for j, p in enumerate(people) if j != i) / 3, 1) for i in range(10)]
        yield {"prediction": answer, "answers": people, "vqa_accuracy": sum(parts) / 10}


rows = {
    f.__name__: list(f(np.random.default_rng(5))) for f in (rankings, segmentations, transcripts, samples, paired, votes)
}
with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump(rows, out, ensure_ascii=False)
