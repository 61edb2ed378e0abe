"""Scores of benchmarks by their own scripts: masks by COCO's API, SQuAD 2.0's thresholds, NIST and CIDEr of the E2E challenge.

    pip install pycocotools==2.0.11 transformers==4.57.1 future==1.0.0
    git clone https://github.com/tuetschek/e2e-metrics
    mvn dependency:copy -Dartifact=edu.stanford.nlp:stanford-corenlp:3.4.1 -DoutputDirectory=.
    PYTHONPATH=e2e-metrics python suite_goldens.py stanford-corenlp-3.4.1.jar \
        ../../eval/src/test/resources/dev/graft/eval/suites/goldens
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from metrics.pymteval import NISTScore
from pycocoevalcap.cider.cider_scorer import CiderScorer
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from transformers.data.metrics import squad_metrics

JAR, OUT = sys.argv[1], pathlib.Path(sys.argv[2])
PUNCTUATION = "'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split()
FIGURES = "AP AP50 AP75 AP_small AP_medium AP_large AR1 AR10 AR100 AR_small AR_medium AR_large".split()


def write(name, value):
    (OUT / name).write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


def polygon(rng, x, y, size):
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    radii = rng.uniform(0.3, 1, len(angles)) * size / 2
    return np.round(np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], 1).ravel(), 2).tolist()


def coco(rng):
    images = [{"id": i, "height": h, "width": w} for i, (h, w) in enumerate([(120, 160), (200, 90), (64, 64), (150, 150)], 1)]
    things, found = [], []
    for image in images:
        h, w = image["height"], image["width"]
        for number in range(5):
            x, y, size = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(8, 120)
            corners = [polygon(rng, x, y, size) for _ in range(1 + number % 2)]
            mask = masks.merge(masks.frPyObjects(corners, h, w))
            if masks.area(mask) == 0:
                continue
            crowd = number == 4
            pixels = masks.decode(mask)
            shape = corners
            if crowd:
                flat = pixels.ravel(order="F")
                edges = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
                shape = {"size": [h, w], "counts": np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()}
            category = int(rng.integers(1, 3))
            things.append({
                "id": len(things) + 1, "image_id": image["id"], "category_id": category, "segmentation": shape,
                "bbox": masks.toBbox(mask).tolist(), "area": float(masks.area(mask)), "iscrowd": int(crowd),
            })
            for _ in range(int(rng.integers(1, 3))):
                moved = np.roll(pixels, rng.integers(-4, 5, 2), (0, 1))
                rle = masks.encode(np.asfortranarray(moved))
                found.append({
                    "image_id": image["id"], "category_id": category if rng.random() < 0.9 else 3 - category,
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()}, "score": round(float(rng.random()), 3),
                })
    objects = {"images": images, "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], "annotations": things}
    write("instances_val.json", objects)
    write("found.json", found)
    truth = COCO(OUT / "instances_val.json")
    judged = COCOeval(truth, truth.loadRes(str(OUT / "found.json")), "segm")
    judged.evaluate(), judged.accumulate(), judged.summarize()
    runs = [{"height": h, "width": w, "corners": c, "area": int(masks.area(masks.frPyObjects([c], h, w))[0]),
             "compressed": masks.frPyObjects([c], h, w)[0]["counts"].decode()}
            for c, h, w in [(polygon(rng, rng.uniform(-10, 70), rng.uniform(-10, 50), rng.uniform(2, 80)), 40, 60) for _ in range(40)]]
    write("masks.json", {"scores": dict(zip(FIGURES, judged.stats.tolist())), "polygons": runs})


class Example:
    def __init__(self, qas_id, texts):
        self.qas_id, self.answers = qas_id, [{"text": t} for t in texts]


def squad(rng):
    words = "the red house of Ada Lovelace in London 1815 near a river".split()
    rows = []
    for i in range(40):
        gold = [] if rng.random() < 0.4 else [" ".join(rng.sample(words, 3)) for _ in range(rng.randint(1, 3))]
        best = rng.choice(gold) if gold and rng.random() < 0.6 else " ".join(rng.sample(words, 2))
        none = min(1.0, max(0.0, rng.gauss(0.65 if not gold else 0.4, 0.25)))
        rows.append({"gold": gold, "best": best, "none": round(none, 3)})
    examples = [Example(str(i), row["gold"]) for i, row in enumerate(rows)]
    preds = {str(i): row["best"] for i, row in enumerate(rows)}
    nones = {str(i): row["none"] for i, row in enumerate(rows)}
    scores = squad_metrics.squad_evaluate(examples, preds, nones, 0.5)
    write("squad.json", {"rows": rows, "scores": scores})


def words(texts):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(texts))
        file.flush()
        lines = subprocess.run(
            ["java", "-cp", JAR, "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", file.name],
            capture_output=True, encoding="utf-8", check=True).stdout.split("\n")
    return [" ".join(w for w in line.split(" ") if w not in PUNCTUATION) for line in lines[:len(texts)]]


def texts():
    rows = [
        ("Alimentum is a cheap pub near the Burger King.",
         ["Alimentum is a cheap pub, near Burger King.", "A cheap pub near the Burger King is called Alimentum."]),
        ("The Eagle isn't family-friendly and costs £20-25.",
         ["The Eagle, at £20-25, isn't family-friendly.", "It's £20-25 at The Eagle; children don't go.", "The Eagle is for adults."]),
        ("It is.", ["Browns Cambridge is a coffee shop (5 out of 5)."]),
        ("Wildwood serves \"Italian\" food; it's rated 3.5 out of 5. It's Wildwood.",
         ["Wildwood serves Italian food and is rated 3.5 out of 5.", "Italian food's served at Wildwood, rated 3.5 of 5."]),
        ("Cotto is a high-priced coffee shop near The Portland Arms with a low customer rating.",
         ["Cotto, a coffee shop near The Portland Arms, has high prices and a low customer rating."]),
        ("It’s at No. 5 – near the “Burger King” – and isn’t cheap…",
         ["It's at no. 5, near the Burger King, and isn't cheap.", "Children? No. ‘Adults’ only — £20–25 at No.10."]),
        ("Is it family-friendly? No.", ["It is not: they said no. Children can’t come.", "No. The pub—like its food—is for adults."]),
    ]
    nist = NISTScore()
    for text, references in rows:
        nist.append(text, references)
    flat = words([t for text, references in rows for t in [text, *references]])
    scorer, at = CiderScorer(), 0
    for text, references in rows:
        scorer += (flat[at], flat[at + 1:at + 1 + len(references)])
        at += 1 + len(references)
    score, _ = scorer.compute_score()
    write("e2e.json", {"rows": [{"text": t, "references": r} for t, r in rows], "words": flat, "nist": nist.score(),
                       "cider": float(score)})


OUT.mkdir(parents=True, exist_ok=True)
coco(np.random.default_rng(11))
squad(random.Random(5))
texts()
