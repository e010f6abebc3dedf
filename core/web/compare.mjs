// Compares the answers to one recorded case with the recorded ones, and judges all cases of a name together.
//
// The rule is that of core/proof/parity.py: every number within `absolute + relative * |recorded|`, no changed prediction but ties.

import { plain, REAL } from "./tensors.mjs";

export const blank = () => ({
  samples: 0,
  max_abs: 0,
  max_rel: 0,
  beyond: 0,
  flips: 0,
  ties: 0,
  predicted: 0,
  faults: new Set(),
});

const kind = (type) =>
  REAL.has(type) ? "number" : type === "string" ? "text" : type === "bool" ? "truth" : "whole number";

// What is wrong before any number is looked at: shape, kind, or the places without a finite number.
export function mismatch(name, wanted, got) {
  if (!got) return `output ${name} is missing`;
  if (String(wanted.dims) !== String(got.dims))
    return `output ${name} has the shape ${got.dims}, but the source has ${wanted.dims}`;
  if (kind(wanted.type) !== kind(got.type))
    return `output ${name} is ${got.type}, but the source gives ${wanted.type}`;
  if (!REAL.has(wanted.type)) return "";
  const [a, b] = [plain(wanted), plain(got)];
  let places = 0;
  for (let i = 0; i < a.length; i++)
    if (!(Number.isFinite(a[i]) && Number.isFinite(b[i])) && !Object.is(a[i], b[i])) places++;
  return places ? `output ${name} is not finite where the source is, or the reverse, in ${places} places` : "";
}

export function differences(wanted, got, tally, tolerance) {
  if (!REAL.has(wanted.type)) return;
  const [a, b] = [plain(wanted), plain(got)];
  for (let i = 0; i < a.length; i++) {
    if (!Number.isFinite(a[i])) continue;
    const gap = Math.abs(a[i] - b[i]);
    tally.max_abs = Math.max(tally.max_abs, gap);
    tally.max_rel = Math.max(tally.max_rel, gap / Math.max(Math.abs(a[i]), tolerance.absolute, 1e-12));
    if (gap > tolerance.absolute + tolerance.relative * Math.abs(a[i])) tally.beyond++;
  }
}

// A changed prediction between two classes whose scores in the source lie within the tolerance of each other is a tie.
export function flips(wanted, got, tally, tolerance) {
  const [before, after] = [prediction(wanted), prediction(got)];
  if (!before || !after) return;
  before.rows.forEach((row, place) => {
    tally.predicted++;
    if (String(row) === String(after.rows[place])) return;
    tally.flips++;
    if (before.scores && tied(before.scores[place], tolerance)) tally.ties++;
  });
}

// The predicted class of each sample and the scores behind it: a label output decides, else the largest of the last dimension.
function prediction(outputs) {
  const scores = outputs.find(({ type, dims }) => REAL.has(type) && dims.length >= 2 && dims.at(-1) >= 2);
  const label = outputs.find(({ type, dims }) => !REAL.has(type) && dims.length >= 1 && dims.length <= 2);
  if (label) {
    const rows = split(Array.from(label.data, String), label.dims[0]);
    return {
      rows,
      scores: scores?.dims.length === 2 ? split(plain(scores), scores.dims[0]).map((row) => [row]) : null,
    };
  }
  if (!scores) return null;
  const each = split(plain(scores), scores.dims[0]).map((row) => split(row, row.length / scores.dims.at(-1)));
  return { rows: each.map((vectors) => vectors.map(largest)), scores: each };
}

function tied(vectors, { absolute, relative }) {
  return vectors.some((vector) => {
    const [best, second] = Array.from(vector).sort((a, b) => b - a);
    return best - second <= 2 * (absolute + relative * Math.abs(best));
  });
}

function split(flat, parts) {
  const step = flat.length / parts;
  return Array.from({ length: parts }, (_, place) => flat.slice(place * step, (place + 1) * step));
}

const largest = (vector) => vector.reduce((best, value, place) => (value > vector[best] ? place : best), 0);

export function judged(name, tally) {
  const { samples, max_abs, max_rel, beyond, flips, ties, predicted, faults } = tally;
  const parts = [...faults].slice(0, 3);
  if (beyond) parts.push(`${beyond} ${beyond === 1 ? "number is" : "numbers are"} beyond the tolerance`);
  if (flips)
    parts.push(
      `${flips} of ${predicted} predictions changed${ties ? `, ${ties} of them ties within the tolerance` : ""}`,
    );
  const failed = faults.size || beyond || flips > ties;
  return {
    name,
    samples,
    max_abs,
    max_rel,
    flips,
    predicted,
    detail: parts.join("; "),
    verdict: failed ? "FAIL" : "PASS",
  };
}
