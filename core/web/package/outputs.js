// The answers of a web package: tables of what the model gives, and the report of the self-test.

"use strict";

// Numbers with several in the last dimension become the five largest; everything else is listed.
function table(name, { type, dims, data }) {
  const values = Array.from(state.replay.plain({ type, data }));
  const scores =
    type.startsWith("float") && dims.length <= 2 && (dims.at(-1) ?? 1) > 1 ? values.slice(0, dims.at(-1)) : null;
  const head = `${name}  (${type}, ${dims.join(" × ") || "scalar"})`;
  const rows = scores
    ? scores
        .map((value, place) => [place, value])
        .sort((a, b) => b[1] - a[1])
        .slice(0, 5)
    : values.slice(0, 50).map((value, place) => [place, value]);
  const chances =
    scores &&
    scores.every((value) => value >= 0 && value <= 1) &&
    Math.abs(scores.reduce((a, b) => a + b, 0) - 1) < 1e-3;
  const lines = rows.map(([place, value]) =>
    element(
      "tr",
      {},
      element("td", { textContent: String(place) }),
      element("td", {
        textContent: typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(6) : String(value),
      }),
      ...(chances
        ? [element("td", { className: "share" }, element("meter", { value, title: `${(100 * value).toFixed(1)} %` }))]
        : []),
    ),
  );
  const titles = [scores ? "class" : "place", "value", ...(chances ? ["share"] : [])].map((text) =>
    element("th", { scope: "col", textContent: text }),
  );
  const note =
    scores && scores.length > 5
      ? `, the 5 largest of ${scores.length}`
      : values.length > rows.length && !scores
        ? `, the first ${rows.length} of ${values.length}`
        : "";
  return element(
    "table",
    {},
    element("caption", { textContent: head + note }),
    element("thead", {}, element("tr", {}, ...titles)),
    element("tbody", {}, ...lines),
  );
}

function report(found, speed) {
  const words = {
    PASS: "PASS. The browser gives the recorded answers.",
    FAIL: `FAIL. ${found.reason}`,
    "NOT PROVEN": `NOT PROVEN. ${found.reason}`,
  }[found.verdict];
  const flips = found.flips ? `${found.flips.k} of ${found.flips.n} predictions changed; ` : "";
  const head = element(
    "tr",
    {},
    ...["check", "samples", "largest difference", "changed", "verdict"].map((text) =>
      element("th", { scope: "col", textContent: text }),
    ),
  );
  const rows = found.checks.map((check) =>
    element(
      "tr",
      {},
      ...[
        check.name,
        check.samples,
        check.max_abs.toExponential(1),
        check.predicted ? `${check.flips} of ${check.predicted}` : "",
        check.verdict,
      ].map((text) => element("td", { textContent: String(text) })),
    ),
  );
  const times = ["p50", "p90", "p99"].map((name) => `${name} ${speed[name].toPrecision(3)} ms`).join(", ");
  return [
    element("p", {
      className: `figure ${found.verdict === "PASS" ? "pass" : found.verdict === "FAIL" ? "fail" : ""}`,
      textContent: words,
    }),
    element("p", {
      textContent: `${found.samples.toLocaleString("en")} samples; ${flips}largest difference ${found.max_abs.toExponential(1)}.`,
    }),
    element(
      "div",
      { className: "scroll" },
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)),
    ),
    element("p", {
      className: "quiet",
      textContent: `Time of one answer on this device: ${times} (${speed.runs} runs after ${speed.warm} to warm up, batch ${speed.batch}, one thread, clock steps of ${speed.tick.toPrecision(1)} ms). ${navigator.userAgent}`,
    }),
  ];
}
