// Replays recorded inputs on a session and compares its answers with the recorded ones, by the same rule as the proof on the server.
//
// Every function takes the runtime from its caller, so that a worker, Node and a page without a server all use this one file.

import { blank, differences, flips, judged, mismatch } from "./compare.mjs";
import { cast } from "./tensors.mjs";

const NEEDED = 30; // samples without a failure that a PASS rests on, as on the server

// Opens a model on one thread. Throws an Error whose `next` says what to do.
export async function open(ort, wasm, model) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = wasm;
  ort.env.logLevel = "error";
  try {
    const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 4 });
    const odd = [...session.inputMetadata, ...session.outputMetadata].filter((value) => !value.isTensor);
    if (odd.length) throw new Error(`not a tensor: ${odd.map((value) => value.name).join(", ")}`);
    return session;
  } catch (error) {
    throw explained(error);
  }
}

// Runs every recorded case and returns {verdict, reason, max_abs, flips, samples, cases, recorded, checks}.
export async function replay(ort, session, recorded, tolerance, progress = () => {}) {
  const tallies = new Map();
  for (const [number, one] of recorded.cases.entries()) {
    progress(number / recorded.cases.length);
    if (!tallies.has(one.name)) tallies.set(one.name, blank());
    await compared(ort, session, recorded, one, tallies.get(one.name), tolerance);
    await new Promise((resume) => setTimeout(resume)); // lets a page that has no worker draw
  }
  const checks = [...tallies].map(([name, tally]) => judged(name, tally));
  const samples = sum(checks, "samples");
  const failed = checks.find((check) => check.verdict === "FAIL");
  const verdict = failed ? "FAIL" : samples < NEEDED ? "NOT PROVEN" : "PASS";
  const reason = failed
    ? `${failed.name}: ${failed.detail}`
    : verdict === "PASS"
      ? ""
      : `Only ${samples} samples could be compared; ${NEEDED} are needed.`;
  const predicted = sum(checks, "predicted");
  return {
    verdict,
    reason,
    samples,
    checks,
    cases: recorded.cases.length,
    recorded: recorded.recorded,
    max_abs: Math.max(0, ...checks.map((check) => check.max_abs)),
    max_rel: Math.max(0, ...checks.map((check) => check.max_rel)),
    flips: predicted ? { k: sum(checks, "flips"), n: predicted } : null,
  };
}

// Times single runs after a warm-up and returns their percentiles in milliseconds; stops early after `seconds`.
export async function time(ort, session, recorded, { warm = 5, runs = 100, seconds = 10, progress = () => {} } = {}) {
  const batch = Math.min(...recorded.cases.map((one) => one.samples));
  const feeds = fed(
    ort,
    session,
    recorded,
    recorded.cases.find((one) => one.samples === batch),
  );
  const times = [];
  const end = performance.now() + 1000 * seconds;
  for (let done = -warm; done < runs && (times.length < 10 || performance.now() < end); done++) {
    const start = performance.now();
    await session.run(feeds);
    if (done >= 0) times.push(performance.now() - start);
    if (done % 10 === 0) progress(Math.max(0, done) / runs);
  }
  times.sort((a, b) => a - b);
  return {
    runs: times.length,
    warm,
    batch,
    p50: quantile(times, 0.5),
    p90: quantile(times, 0.9),
    p99: quantile(times, 0.99),
    tick: tick(),
  };
}

// Says what went wrong when a model was opened or run, in words for its owner.
export function explained(error) {
  const text = String(error?.message ?? error);
  const first = text.split("\n").find((line) => line.trim()) ?? "unknown error";
  const kernel =
    /implementation for ([\w.:]+\(\d+\))|No Op registered for ([\w.]+)|([\w.:]+)\(-?\d+\) is not a registered/.exec(
      text,
    );
  const known = [
    [
      kernel,
      `The browser build of ONNX Runtime has no kernel for ${kernel?.[1] ?? kernel?.[2] ?? kernel?.[3]}.`,
      "Convert the model to another opset, or replace that operator.",
    ],
    [
      text.startsWith("not a tensor: "),
      `JavaScript takes and returns tensors only; these are not tensors: ${first.slice(14, 214)}.`,
      "Export the model with plain tensor outputs (scikit-learn: zipmap off).",
    ],
    [
      /bad_alloc|out of memory|allocat|RangeError|Aborted/i.test(text),
      "The browser does not have enough memory for this model.",
      "Close other tabs, or make the model smaller on the Compress page first.",
    ],
    [
      /opset|ir.version/i.test(text),
      "The browser build of ONNX Runtime does not read the opset or IR version of this model.",
      "Convert the model to a lower opset and IR version.",
    ],
  ].find(([applies]) => applies);
  const [, message, next] = known ?? [
    true,
    `ONNX Runtime in this browser cannot run the model: ${first.slice(0, 300)}`,
    "Convert the model to another opset, or use a newer browser.",
  ];
  return Object.assign(new Error(message), { next });
}

// Inputs are matched by name, else by position, and take the kind that the model asks for.
export function fed(ort, session, recorded, one) {
  if (recorded.inputs.length !== session.inputNames.length)
    throw new Error(
      `the model takes ${session.inputNames.length} inputs, but the recording has ${recorded.inputs.length}`,
    );
  const named = session.inputNames.every((name) => recorded.inputs.includes(name));
  return Object.fromEntries(
    session.inputMetadata.map((value, place) => {
      const found = one.inputs[named ? recorded.inputs.indexOf(value.name) : place];
      return [value.name, new ort.Tensor(value.type, cast(found, value.type), found.dims)];
    }),
  );
}

const sum = (rows, key) => rows.reduce((total, row) => total + row[key], 0);

async function compared(ort, session, recorded, one, tally, tolerance) {
  tally.samples += one.samples;
  let got;
  try {
    const answer = await session.run(fed(ort, session, recorded, one));
    got = session.outputNames.map((name) => answer[name]);
  } catch (error) {
    tally.faults.add(`the browser rejects this input (${one.what || one.name}): ${explained(error).message}`);
    return;
  }
  if (got.length !== one.outputs.length)
    tally.faults.add(`${got.length} outputs; the source has ${one.outputs.length}`);
  const faults = one.outputs
    .map((wanted, place) => mismatch(recorded.outputs[place], wanted, got[place]))
    .filter(Boolean);
  faults.forEach((fault) => tally.faults.add(fault));
  if (tally.faults.size) return;
  one.outputs.forEach((wanted, place) => differences(wanted, got[place], tally, tolerance));
  flips(one.outputs, got, tally, tolerance);
}

// Linear interpolation between the two nearest of sorted values.
export function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}

// The step of this browser's clock in milliseconds.
function tick() {
  const start = performance.now();
  let now = start;
  while (now === start) now = performance.now();
  return now - start;
}
