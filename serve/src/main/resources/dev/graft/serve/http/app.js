"use strict";

const element = id => document.getElementById(id);
const sides = ["left", "right"].map(name => ({
  choice: element(name),
  facts: document.querySelector(`[data-side=${name}] .facts`),
  answer: document.querySelector(`[data-side=${name}] output`),
  speed: document.querySelector(`[data-side=${name}] .speed`),
}));
let models = [];
let running = null;

function count(n) {
  return n === undefined ? "" : n >= 1e6 ? `${(n / 1e6).toFixed(1)}M` : n >= 1e3 ? `${(n / 1e3).toFixed(1)}k` : String(n);
}

function bytes(n) {
  return n === undefined ? "" : n >= 1 << 20 ? `${(n / (1 << 20)).toFixed(1)} MiB` : `${Math.ceil(n / 1024)} KiB`;
}

function facts(model) {
  if (!model) return "";
  if (model.parent === null) return `the base, for ${model.task}`;
  return model.loaded
    ? `${model.method}, ${count(model.parameters)} parameters, ${bytes(model.bytes)}, revision ${model.revision}`
    : "not loaded yet";
}

function cell(row, text) {
  row.insertCell().textContent = text;
}

async function showModels() {
  models = (await (await fetch("v1/models")).json()).data;
  element("base").textContent = models[0].id;
  const body = element("models");
  body.replaceChildren();
  for (const model of models) {
    const row = body.insertRow();
    cell(row, model.id);
    cell(row, model.parent === null ? "base" : model.method ?? "");
    cell(row, count(model.parameters));
    cell(row, bytes(model.bytes));
    cell(row, model.loaded ? "yes" : "no");
  }
  sides.forEach((side, place) => {
    const chosen = side.choice.value;
    side.choice.replaceChildren(...models.map(model => new Option(model.id, model.id)));
    side.choice.value = models.some(model => model.id === chosen) ? chosen : models[Math.min(place, models.length - 1)].id;
    side.facts.textContent = facts(models.find(model => model.id === side.choice.value));
  });
}

/** Reads the events of a stream. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith("data: ") && block !== "data: [DONE]") yield JSON.parse(block.slice(6));
    }
  }
}

function request(path, body, signal) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
}

async function ask(side, prompt, signal) {
  const start = performance.now();
  const options = {
    model: side.choice.value,
    max_tokens: Number(element("tokens").value),
    temperature: Number(element("temperature").value),
    seed: Number(element("seed").value),
    stream: true,
    stream_options: { include_usage: true },
  };
  side.answer.textContent = "";
  side.answer.classList.remove("failed");
  side.speed.textContent = "";
  let first = 0;
  try {
    let response = await request("v1/chat/completions", { ...options, messages: [{ role: "user", content: prompt }] }, signal);
    if (response.status === 404 && (await response.clone().json()).error.code === "route_not_served") {
      response = await request("v1/completions", { ...options, prompt }, signal);
    }
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      const choice = event.choices[0];
      const text = choice ? choice.delta ? choice.delta.content : choice.text : "";
      if (text) {
        first ||= performance.now() - start;
        side.answer.append(text);
      }
      if (event.usage) {
        const seconds = (performance.now() - start) / 1000;
        side.speed.textContent = `${event.usage.completion_tokens} tokens in ${seconds.toFixed(2)} s, `
          + `${(event.usage.completion_tokens / seconds).toFixed(1)} tokens/s, first after ${first.toFixed(0)} ms`;
      }
    }
  } catch (failure) {
    if (failure.name === "AbortError") {
      side.speed.textContent = "stopped";
    } else {
      side.answer.textContent = failure.message;
      side.answer.classList.add("failed");
    }
  }
}

async function askBoth() {
  const prompt = element("prompt").value;
  if (running || !prompt.trim()) return;
  running = new AbortController();
  element("send").disabled = true;
  element("stop").disabled = false;
  await Promise.all(sides.map(side => ask(side, prompt, running.signal)));
  running = null;
  element("send").disabled = false;
  element("stop").disabled = true;
  document.body.dataset.asked = "true";
  await showModels();
}

function figure(text, name) {
  const line = text.split("\n").find(each => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
  return line ? Number(line.slice(line.lastIndexOf(" ") + 1)) : 0;
}

let before = null;
async function showFigures() {
  const text = await (await fetch("metrics")).text();
  const now = {
    at: performance.now(),
    tokens: figure(text, "graft_tokens_written_total"),
    steps: figure(text, "graft_step_duration_seconds_count"),
    seconds: figure(text, "graft_step_duration_seconds_sum"),
  };
  element("running").textContent = figure(text, "graft_requests_running");
  element("waiting").textContent = figure(text, "graft_requests_waiting");
  if (before) {
    element("rate").textContent = ((now.tokens - before.tokens) / (now.at - before.at) * 1000).toFixed(1);
    const steps = now.steps - before.steps;
    element("step").textContent = steps ? ((now.seconds - before.seconds) / steps * 1000).toFixed(1) : "–";
  }
  before = now;
}

element("ask").addEventListener("submit", event => {
  event.preventDefault();
  askBoth();
});
element("stop").addEventListener("click", () => running?.abort());
document.addEventListener("keydown", event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) askBoth();
  if (event.key === "Escape") running?.abort();
});
sides.forEach(side => side.choice.addEventListener("change", () => {
  side.facts.textContent = facts(models.find(model => model.id === side.choice.value));
}));

/** A link such as #left=poet&right=clerk&prompt=Hello&ask asks at once. */
async function start() {
  await showModels();
  const link = new URLSearchParams(location.hash.slice(1));
  for (const name of ["left", "right", "prompt", "tokens", "temperature", "seed"]) {
    if (link.has(name)) element(name).value = link.get(name);
  }
  sides.forEach(side => side.choice.dispatchEvent(new Event("change")));
  await showFigures();
  setInterval(() => document.hidden || showFigures().catch(() => {}), 1000);
  if (link.has("ask")) await askBoth();
}
start();
