"""Asks a server what OpenAI's own client asks, and stops where an answer isn't as that client expects it."""
import enum
import json
import sys

import openai
import pydantic

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
assert "poet" in [model.id for model in client.models.list()]
ask = dict(model="poet", messages=[{"role": "user", "content": "Hello"}], max_tokens=12, temperature=0)

whole = client.chat.completions.create(**ask, logprobs=True, top_logprobs=2)
text = whole.choices[0].message.content
assert whole.choices[0].finish_reason == "length" and whole.usage.completion_tokens == 12
assert len(whole.choices[0].logprobs.content) == 12

again = ask["messages"] + [whole.choices[0].message.model_dump(), {"role": "user", "content": "Hello"}]
assert client.chat.completions.create(**{**ask, "messages": again}).choices[0].message.content

chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
assert chunks[-1].usage.completion_tokens == 12

several = client.chat.completions.create(**{**ask, "temperature": 1.5}, n=3, seed=5)
assert len({choice.message.content for choice in several.choices}) == 3

objects = client.chat.completions.create(**{**ask, "temperature": 1.8, "max_tokens": 60}, n=8, seed=2,
                                         response_format={"type": "json_object"}).choices
assert all(isinstance(json.loads(choice.message.content), dict) for choice in objects if choice.finish_reason == "stop")
assert any(choice.finish_reason == "stop" for choice in objects)


class Mood(enum.Enum):
    GLAD = "glad"
    SAD = "sad"


class Poem(pydantic.BaseModel):
    mood: Mood
    rhymed: bool
    lines: int | None
    others: list[Mood]


poems = []
for seed in range(12):
    try:
        poems.append(client.chat.completions.parse(**{**ask, "temperature": 1.2, "max_tokens": 120}, seed=seed,
                                                   response_format=Poem).choices[0].message.parsed)
    except openai.LengthFinishReasonError:
        pass
assert poems and all(isinstance(poem.mood, Mood) for poem in poems)

weather = {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": {
    "type": "object", "properties": {"hot": {"type": "boolean"}, "mood": {"type": "string", "enum": ["glad", "sad"]}},
    "required": ["hot", "mood"], "additionalProperties": False}, "strict": True}}
chosen = {"type": "function", "function": {"name": "weather"}}
for choice in ("required", chosen):
    answer = client.chat.completions.create(**{**ask, "max_tokens": 600}, tools=[weather], tool_choice=choice).choices[0]
    assert answer.finish_reason == "tool_calls" and answer.message.content is None
    call = answer.message.tool_calls[0]
    assert call.type == "function" and call.id and call.function.name == "weather"
    assert isinstance(json.loads(call.function.arguments)["hot"], bool)
    with client.chat.completions.stream(**{**ask, "max_tokens": 600}, tools=[weather], tool_choice=choice) as events:
        streamed = events.get_final_completion().choices[0]
    assert streamed.message.tool_calls[0].function.arguments == call.function.arguments
    assert streamed.finish_reason == "tool_calls"
    told = client.chat.completions.create(**{**ask, "messages": ask["messages"] + [answer.message,
                                             {"role": "tool", "tool_call_id": call.id, "content": "hot"}]}, tools=[weather])
    assert told.choices[0].finish_reason in ("stop", "length")

reciter = openai.OpenAI(base_url=sys.argv[2] + "/v1", api_key="none", max_retries=0)
clock = {"type": "function", "function": {"name": "Clock", "parameters": {
    "type": "object", "properties": {"zone": {"type": "integer"}}, "required": ["zone"]}}}
for tokens in (200, 60):
    said = dict(model="reciter", messages=ask["messages"], tools=[clock], max_tokens=tokens, temperature=0)
    whole = reciter.chat.completions.create(**said).choices[0]
    content, calls = "", []
    for chunk in reciter.chat.completions.create(**said, stream=True):
        delta = chunk.choices[0].delta
        content += delta.content or ""
        for call in delta.tool_calls or []:
            if call.id:
                assert call.index == len(calls) and call.type == "function" and call.function.arguments == ""
                calls.append([call.function.name])
            else:
                calls[call.index].append(call.function.arguments)
    assert chunk.choices[0].finish_reason == whole.finish_reason == ("tool_calls" if tokens == 200 else "length")
    assert content == whole.message.content == "I see.\n"
    assert [(name, "".join(pieces)) for name, *pieces in calls] == [
        (call.function.name, call.function.arguments) for call in whole.message.tool_calls]
    assert len(calls) == (2 if tokens == 200 else 1) and len(calls[0]) > 3, calls
with reciter.chat.completions.stream(**{**said, "max_tokens": 200}) as events:
    done = [event.arguments for event in events if event.type == "tool_calls.function.arguments.done"]
assert [json.loads(arguments) for arguments in done] == [{"zone": 12}, {"zone": 7}]

plain = client.completions.create(model="tiny", prompt=["Hello", "you"], max_tokens=4, temperature=0, echo=True)
assert plain.choices[0].text.startswith("Hello") and plain.choices[1].text.startswith("you")

for wrong, kind in ((dict(model="nobody"), openai.NotFoundError), (dict(max_tokens=-1), openai.BadRequestError),
                    (dict(functions=[{"name": "f"}]), openai.BadRequestError)):
    try:
        client.chat.completions.create(**{**ask, **wrong})
        raise AssertionError(wrong)
    except kind as refused:
        assert refused.body["message"]
print("well")
