"""Tags of words and answers in texts as transformers has them: fixtures/spans/tags.json and answers.json.

Usage: python span_goldens.py   (in parity/python; needs torch, transformers and seqeval)
"""

import json
import pathlib

import torch
from seqeval.metrics import f1_score
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
MAX_LENGTH, STRIDE, MOST_TOKENS = 24, 6, 64


def tags():
    sentences = [
        ["the", "keeper", "of", "tokens", ",", "growing", "them", "."],
        ["testing", "\U0001f600", "the", "tree-line", "and", "reading"],
        ["one"],
        ["while", "we", "wait", "there", "is", "another", "completion", "to", "verify", ":", "the", "tent"],
    ]
    cases = []
    for name in ("wordpiece", "unigram", "bytebpe"):
        tokenizer = AutoTokenizer.from_pretrained(FIXTURES / "tokens" / name)
        if name == "bytebpe":
            # RobertaTokenizer takes words only with add_prefix_space=True, which is this.
            tokenizer.backend_tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=True)
        for words in sentences:
            for longest in (512, 12):
                encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=longest)
                first = [-1] * len(words)
                for position, word in enumerate(encoded.word_ids()):
                    if word is not None and first[word] < 0:
                        first[word] = position
                cases.append(dict(tokenizer=name, words=words, max_length=longest, ids=encoded["input_ids"], first=first))
    labels = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "I-ORG", "I-ORG", "O"]]
    predicted = [["B-PER", "I-PER", "O", "I-LOC"], ["O", "I-ORG", "B-ORG", "O"]]
    score = dict(labels=labels, predicted=predicted, f1=f1_score(labels, predicted))
    return dict(cases=cases, score=score)


def span(offsets, sequences, answer):
    """The first and the last token of an answer, or the first of all."""
    context = [i for i, sequence in enumerate(sequences) if sequence == 1]
    if answer is None:
        return 0, 0
    start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    first, last = context[0], context[-1]
    if not (offsets[first][0] <= start and offsets[last][1] >= end):
        return 0, 0
    while first < len(offsets) and sequences[first] == 1 and offsets[first][0] <= start:
        first += 1
    while sequences[last] == 1 and offsets[last][1] >= end:
        last -= 1
    return first - 1, last + 1


def answers():
    folder = FIXTURES / "bases" / "bert-qa"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    context = "\U0001f600 the keeper and the tent grow on trees, and we are reading the test : it is there while the rest goes on and on to the end"
    rows = []
    for question, text in (("what is it", "the tent"), ("on what", "trees"), ("who", "we"), ("why", None), ("to the", "the end")):
        answer = None if text is None else dict(text=text, answer_start=context.index(text))
        rows.append(dict(question=question, context=context, answers=[] if answer is None else [answer]))
    rows.append(dict(question="what", context="the tent", answers=[dict(text="tent", answer_start=4)]))
    cases = []
    for row in rows:
        encoded = tokenizer(
            row["question"],
            row["context"],
            truncation="only_second",
            max_length=MAX_LENGTH,
            stride=STRIDE,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        windows, best, none = [], None, float("inf")
        for i, ids in enumerate(encoded["input_ids"]):
            offsets, sequences = encoded["offset_mapping"][i], encoded.sequence_ids(i)
            start, end = span(offsets, sequences, row["answers"][0] if row["answers"] else None)
            with torch.no_grad():
                out = model(
                    torch.tensor([ids]),
                    token_type_ids=torch.tensor([encoded["token_type_ids"][i]]),
                    start_positions=torch.tensor([start]),
                    end_positions=torch.tensor([end]),
                )
            starts, ends = out.start_logits[0], out.end_logits[0]
            windows.append(dict(ids=ids, start=start, end=end, loss=out.loss.item()))
            none = min(none, (starts[0] + ends[0]).item())
            for a in range(len(ids)):
                for b in range(a, min(len(ids), a + MOST_TOKENS)):
                    score = (starts[a] + ends[b]).item()
                    if sequences[a] == 1 and sequences[b] == 1 and (best is None or score > best[0]):
                        best = (score, row["context"][offsets[a][0] : offsets[b][1]])
        cases.append(dict(row, windows=windows, best=best[1], score=best[0], none=none))
    return dict(max_length=MAX_LENGTH, stride=STRIDE, cases=cases)


def main():
    out = FIXTURES / "spans"
    out.mkdir(exist_ok=True)
    for name, value in (("tags", tags()), ("answers", answers())):
        (out / f"{name}.json").write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
