"""Chat templates rendered by transformers, and Jinja snippets rendered by jinja2, as goldens for the Java renderer.

    python -m venv v && v/bin/pip install "transformers==5.24.0" "jinja2==3.1.6"
    v/bin/python chat_goldens.py --out ../fixtures/chat              # the committed goldens
    v/bin/python chat_goldens.py --out other --templates FOLDER     # the same conversations through any *.jinja

The templates in chat_templates/ are written for this purpose. Each has the shape of a family of published templates: the same control
tokens, branches, loops, filters and whitespace tricks.
"""

import argparse
import datetime
import json
import re
from pathlib import Path

import transformers.utils.chat_template_utils as hf

NOW = datetime.datetime(2024, 7, 26, 9, 5, 3)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


hf.datetime = Clock

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a place, \"now\" & <soon>",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Name of the town: Zürich, 東京"},
        "days": {"type": "integer", "default": 1, "enum": [1, 3, 7]},
        "exact": {"type": "boolean", "default": False},
        "unit": {"type": ["string", "null"]},
        "spots": {"type": "array", "items": {"type": "number"}}}, "required": ["city"]}}}
CLOCK = {"type": "function", "function": {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}}


def call(name, arguments, id="call00001"):
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


def say(*turns):
    return [{"role": r, "content": c} for r, c in turns]


CONVERSATIONS = {
    "user": say(("user", "What is grafting?")),
    "system": say(("system", "You are brief."), ("user", "What is grafting?")),
    "turns": say(("user", "Hi"), ("assistant", "Hello."), ("user", "Name a tree."), ("assistant", "The apple.")),
    "system-turns": say(("system", "Be kind.\nBe short."), ("user", "Hi"), ("assistant", "Hello."), ("user", "And now?")),
    "spaces": say(("system", "  padded system \n"), ("user", "\n  padded user  "), ("assistant", " padded answer \n\n"), ("user", "\tend")),
    "empty": say(("user", ""), ("assistant", ""), ("user", "")),
    "unicode": say(("user", "Grüße, 東京 🙂👩‍👧 <b>&\"'\\ {{ x }} {% if %}"), ("assistant", "¿Qué? naïve\u00a0café\u2028line")),
    "markup": say(("user", "a <|im_end|> b </s> [INST] c"), ("assistant", "d <|im_start|>system\ne")),
    "two-users": say(("user", "one"), ("user", "two")),
    "opens-with-assistant": say(("assistant", "Welcome."), ("user", "Hi")),
    "late-system": say(("user", "Hi"), ("system", "Change."), ("assistant", "Ok.")),
    "odd-role": say(("user", "Hi"), ("critic", "Meh.")),
    "no-content": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None}],
    "named": [{"role": "user", "content": "Hi", "name": "Ada"}, {"role": "assistant", "content": "Hello Ada.", "weight": 0.5}],
    "thinking": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>\nAdd them.\n</think>\n\n4"},
                 {"role": "user", "content": "3+3?"}, {"role": "assistant", "content": "6", "reasoning_content": "Add again."}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "image"}, {"type": "text", "text": "nice?"}]},
              {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}],
    "tool-call": [{"role": "user", "content": "Weather in Zürich?"},
                  {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "Zürich", "days": 3, "exact": True, "unit": None, "spots": [1.5, 2, 1e16, 1e-7]})]},
                  {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": "{\"sun\": true}"},
                  {"role": "assistant", "content": "Sunny."}],
    "two-calls": [{"role": "system", "content": "Use tools."}, {"role": "user", "content": "Weather and time?"},
                  {"role": "assistant", "content": "Let me see.", "tool_calls": [
                      call("get_weather", {"city": "O'Hare \"x\""}, "call00001"), call("now", {}, "call00002")]},
                  {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": "rain"},
                  {"role": "tool", "name": "now", "tool_call_id": "call00002", "content": "12:00"}],
    "string-arguments": [{"role": "user", "content": "Weather?"},
                         {"role": "assistant", "tool_calls": [call("get_weather", "{\"city\": \"Bern\"}")]},
                         {"role": "tool", "tool_call_id": "call00001", "content": "fog"}],
}

# conversation, options: what a template is rendered with
RUNS = [(name, {}) for name in CONVERSATIONS if "call" not in name and "arguments" not in name]
RUNS += [(name, {"add_generation_prompt": True}) for name in ("user", "system", "system-turns", "spaces", "two-users", "thinking", "parts")]
RUNS += [(name, {"add_generation_prompt": True, "tools": [WEATHER, CLOCK]}) for name in ("user", "system", "tool-call", "two-calls", "string-arguments")]
RUNS += [("tool-call", {"tools": [WEATHER]}), ("tool-call", {}), ("user", {"tools": []}),
         ("user", {"add_generation_prompt": True, "enable_thinking": False}),
         ("system", {"add_generation_prompt": True, "enable_thinking": True, "documents": [{"title": "Trees", "text": "Bark."}]})]

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}


def render(template, messages, options, tokens):
    options = dict(options)
    messages = hf._normalize_chat_messages(messages)
    try:
        mask = re.search(r"{%[-+]?\s*generation", template) is not None
        texts, spans = hf.render_jinja_template(
            [messages], tools=options.pop("tools", None), documents=options.pop("documents", None), chat_template=template,
            return_assistant_tokens_mask=mask, add_generation_prompt=options.pop("add_generation_prompt", False),
            **{**tokens, **options})
        return {"text": texts[0], **({"generated": [list(s) for s in spans[0]]} if mask else {})}
    except Exception as e:  # any: the template refuses, or goes wrong in Python
        return {"error": type(e).__name__ + ": " + str(e)[:120]}


def chat_file(path, tokens):
    template = path.read_text()
    cases = []
    for name, options in RUNS:
        cases.append({"conversation": name, "options": options, **render(template, CONVERSATIONS[name], options, tokens)})
    return {"name": path.stem, "template": template, "special_tokens": tokens, "cases": cases}


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--templates", type=Path, default=Path(__file__).parent / "chat_templates")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out / "conversations.json", CONVERSATIONS)
    for path in sorted(args.templates.glob("*.jinja")):
        tokens = TOKENS if "llama" not in path.stem else {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
        write(args.out / f"template-{path.stem}.json", chat_file(path, tokens))
    import chat_snippets
    write(args.out / "snippets.json", chat_snippets.rendered(hf._compile_jinja_template))


if __name__ == "__main__":
    main()
