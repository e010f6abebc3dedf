// The page of a web package: a form from the model's inputs, its answers, and the self-test. Everything it needs came with it.

"use strict";

const { spec, tolerance } = self.PORTOLAN_MODEL;
const $ = (id) => document.getElementById(id);
const state = {};

// Bytes ------------------------------------------------------------------------------------------------------------------

function bytes(base64) {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

async function inflated(base64) {
  const stream = new Blob([bytes(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// A module cannot be loaded from a folder, but from the page's own memory it can.
async function module(source) {
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  return import(address);
}

// Start ------------------------------------------------------------------------------------------------------------------

async function start() {
  const { ort, wasm, replay } = self.PORTOLAN_RUNTIME;
  document.title = $("title").textContent = spec.name;
  $("about").textContent =
    `${amount(spec.model.size)}, SHA-256 ${spec.model.sha256.slice(0, 16)}…, runs here with ${spec.runtime} in WebAssembly. Nothing leaves this page.`;
  state.replay = await module(bytes(replay));
  state.ort = await module(await inflated(ort));
  state.recorded = self.PORTOLAN_RECORDED ? state.replay.decode(bytes(self.PORTOLAN_RECORDED).buffer) : null;
  state.session = await state.replay.open(
    state.ort,
    await inflated(wasm),
    new Uint8Array(await inflated(self.PORTOLAN_MODEL.bytes)),
  );
  state.inputs = state.session.inputMetadata.map(drawn);
  $("inputs").append(...state.inputs.map((input) => input.element));
  $("inputs").onsubmit = (event) => {
    event.preventDefault();
    answer();
  };
  $("example").onclick = example;
  $("test").onclick = test;
  $("example").hidden = $("test").hidden = !state.recorded?.cases.length;
  $("promise").textContent = promise();
  $("state").textContent = "";
  document.querySelector("main").hidden = false;
  if (state.recorded?.cases.length) example();
}

const amount = (size) => (size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${(size / 1e6).toFixed(1)} MB`);

function promise() {
  const { cases, recorded } = state.recorded ?? { cases: [] };
  if (!cases.length) return "This package contains no recorded answers.";
  const share = cases.length === recorded ? `All ${recorded}` : `${cases.length} of ${recorded}`;
  const samples = cases.reduce((sum, one) => sum + one.samples, 0);
  return `${share} recorded cases with ${samples.toLocaleString("en")} samples are inside, answered by the original model. Tolerance: ${tolerance.absolute} absolute plus ${tolerance.relative} of the value.`;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Run --------------------------------------------------------------------------------------------------------------------

function tensor(input) {
  const { values, dims } = input.read();
  if (input.type === "string") return new state.ort.Tensor("string", Array.from(values), dims);
  const whole = !input.type.startsWith("float");
  const numbers = Array.from(values, (value) =>
    String(value).trim() === "true" ? 1 : String(value).trim() === "false" ? 0 : Number(value),
  );
  const wrong = numbers.findIndex(
    (value, place) =>
      String(values[place]).trim() === "" ||
      (Number.isNaN(value) && !/^nan$/i.test(String(values[place]).trim())) ||
      (whole && !Number.isInteger(value)),
  );
  if (wrong >= 0) throw new Error(`${input.name}: "${values[wrong]}" is no ${whole ? "whole " : ""}number.`);
  return new state.ort.Tensor(input.type, state.replay.cast({ type: "float64", data: numbers }, input.type), dims);
}

async function answer() {
  say("");
  try {
    const feeds = Object.fromEntries(state.inputs.map((input) => [input.name, tensor(input)]));
    const began = performance.now();
    const results = await state.session.run(feeds);
    const took = performance.now() - began;
    const tables = state.session.outputNames.map((name) => table(name, results[name]));
    $("outputs").replaceChildren(
      ...tables,
      element("p", { className: "quiet", textContent: `Answered in ${took.toPrecision(3)} ms.` }),
    );
  } catch (error) {
    say(
      error.message.includes("\n") || /ERROR_CODE/.test(error.message)
        ? state.replay.explained(error).message
        : error.message,
    );
  }
}

function say(words) {
  $("wrong").textContent = words;
}

// Takes the first sample of a recorded case, another one at each press.
function example() {
  say("");
  const { cases, inputs } = state.recorded;
  const wanted = cases.filter((one) => one.name === "data");
  const pool = wanted.length ? wanted : cases;
  state.turn = (state.turn ?? -1) + 1;
  const one = pool[state.turn % pool.length];
  const row = Math.floor(state.turn / pool.length) % one.samples;
  state.inputs.forEach((input, place) => {
    const found = one.inputs[inputs.includes(input.name) ? inputs.indexOf(input.name) : place];
    const step = found.data.length / (found.dims[0] || 1);
    input.fill({
      type: found.type,
      dims: [1, ...found.dims.slice(1)],
      data: found.data.slice(row * step, (row + 1) * step),
    });
  });
}

// Self-test --------------------------------------------------------------------------------------------------------------

async function test() {
  const bar = $("bar");
  $("test").disabled = true;
  bar.hidden = false;
  try {
    const { ort, replay, session, recorded } = state;
    const found = await replay.replay(ort, session, recorded, tolerance, (share) => {
      bar.value = 0.8 * share;
    });
    const speed = await replay.time(ort, session, recorded, {
      seconds: 5,
      progress: (share) => {
        bar.value = 0.8 + 0.2 * share;
      },
    });
    $("verdict").replaceChildren(...report(found, speed));
  } catch (error) {
    $("verdict").replaceChildren(element("p", { className: "fail", textContent: error.message }));
  } finally {
    bar.hidden = true;
    $("test").disabled = false;
  }
}

start().catch((error) => {
  $("state").className = "fail";
  $("state").textContent =
    `The model does not run in this browser: ${error.message} ${error.next ?? "Use a newer browser."}`;
});
