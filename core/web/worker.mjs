// Runs one model in a thread of its own: fetches runtime, model and recorded answers from this server, replays, times, answers.

import * as ort from "./ort.wasm.bundle.min.mjs";
import { explained, open, replay, time } from "./replay.mjs";
import { decode } from "./tensors.mjs";

onmessage = async ({ data }) => {
  try {
    postMessage({ done: await run(data) });
  } catch (error) {
    const known = error.next ? error : explained(error);
    postMessage({ error: { message: known.message, next_step: known.next } });
  }
};

async function run({ wasm, model, recorded, tolerance }) {
  const engine = await load(wasm, "the runtime", 0, 0.2);
  const bytes = await load(model, "the model", 0.2, 0.4);
  const answers = decode((await load(recorded, "the recorded answers", 0.4, 0.5)).buffer);
  tell(0.5, "Opening the model");
  const session = await open(ort, engine, bytes);
  const parity = await replay(ort, session, answers, tolerance, (share) =>
    tell(0.55 + 0.25 * share, "Comparing with the recorded answers"),
  );
  const latency = await time(ort, session, answers, {
    progress: (share) => tell(0.8 + 0.2 * share, "Measuring how long one answer takes"),
  });
  return { ...parity, latency, runtime: ort.env.versions.web };
}

function tell(share, text) {
  postMessage({ progress: share, text });
}

async function load(address, what, from, to) {
  const answer = await fetch(address);
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(error?.message ?? `The server answered ${answer.status} for ${what}.`), {
      next: error?.next_step ?? "Reload the page and try again.",
    });
  }
  const total = Number(answer.headers.get("Content-Length"));
  const pieces = [];
  let size = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    size += value.length;
    tell(from + (to - from) * (total ? Math.min(1, size / total) : 0.5), `Fetching ${what}`);
  }
  const whole = new Uint8Array(size);
  pieces.reduce((place, piece) => (whole.set(piece, place), place + piece.length), 0);
  return whole;
}
