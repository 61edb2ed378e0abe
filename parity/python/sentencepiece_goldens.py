"""Two small SentencePiece models, and what SentencePiece and transformers make of texts with them.

    pip install sentencepiece==0.2.1 transformers==5.24.0 protobuf
    python sentencepiece_goldens.py ../fixtures/sentencepiece

Each folder has tokenizer.model, as AutoTokenizer finds it with the tokenizer_config.json beside it, and cases.json: ids by
SentencePieceProcessor.encode, and by the class of transformers with what it puts around one text and around two.
"""

import json
import random
import sys
from pathlib import Path

import sentencepiece
import transformers
from transformers.convert_slow_tokenizer import T5Converter, XLMRobertaConverter

WORDS = ("the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you "
         "were all her she there would their we him been has when who will more no if out so said what its about into than them "
         "can only other new some could time these two may then do first any my now such like our over man me even most made "
         "naïve café Straße 東京 Привет ½ ﬁne größer").split()
TEXTS = [
    "the naïve man was in Straße 東京", "  two  spaces   and a tail ", "Привет, ﬁne ½!", "unknown 🤗 and \t tabs\nlines", "", "a",
    "ＦＵＬＬ width１２", "café cafe\u0301", "so said she: \"it is not!\"",
]


def train(folder, kind, **options):
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(7)
    text = folder / "text.txt"
    made = ["".join(rng.choices(WORDS, k=2)) for _ in range(200)]
    text.write_text("\n".join(" ".join(rng.choices(WORDS, k=8) + rng.choices(made, k=4)) + rng.choice(".!?,") for _ in range(2000)) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "tokenizer"), model_type=kind, vocab_size=400, hard_vocab_limit=False, character_coverage=1.0,
        num_threads=1, minloglevel=2, **options)
    text.unlink()
    (folder / "tokenizer.vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def write(folder, config, processor, around):
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    cases = [{"text": text, "pieces": processor.encode(text), **around(text)} for text in TEXTS]
    (folder / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")


class Slow:
    """What a converter asks of the tokenizer that it converts."""

    def __init__(self, path, ids):
        self.vocab_file = str(path)
        self._extra_ids = 3
        self.ids = ids
        self.legacy = True

    def convert_tokens_to_ids(self, token):
        return self.ids[token]


def fast(converter, path, ids):
    tokenizer = converter(Slow(path, ids)).converted()
    return lambda text: {"single": tokenizer.encode(text).ids, "pair": tokenizer.encode(text, "it is").ids}


if __name__ == "__main__":
    top = Path(sys.argv[1])
    bpe = train(
        top / "bpe", "bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        user_defined_symbols=["<sep>"])
    write(top / "bpe", {"tokenizer_class": "LlamaTokenizer"}, bpe, lambda text: {"single": [1, *bpe.encode(text)]})
    t5 = train(top / "t5", "unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    write(top / "t5", {"tokenizer_class": "T5Tokenizer", "extra_ids": 3}, t5,
          fast(T5Converter, top / "t5/tokenizer.model", {"</s>": 1}))
    roberta = train(top / "xlm-roberta", "unigram", normalization_rule_name="identity")
    write(top / "xlm-roberta", {"tokenizer_class": "XLMRobertaTokenizer"}, roberta,
          fast(XLMRobertaConverter, top / "xlm-roberta/tokenizer.model", {"<s>": 0, "</s>": 2}))
