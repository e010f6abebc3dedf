// The form of a web package: one part for each input of the model, of the kind that fits its shape.

"use strict";

const MOST_FIELDS = 48;

// Draws one input, and gives it `read` (its tensor's values and shape) and `fill` (from a recorded tensor of one sample).
function drawn({ name, type, shape }) {
  const dims = shape.map((dim, place) => (typeof dim === "number" ? dim : place ? null : 1));
  const sizes = dims.every((dim) => dim !== null) ? dims.reduce((a, b) => a * b, 1) : null;
  const input = { name, type, dims };
  const detail = `${type}, ${shape.map((dim) => (dim === "" ? "?" : dim)).join(" × ") || "scalar"}`;
  const parts = picture(type, dims)
    ? drop(input)
    : sizes !== null && sizes <= MOST_FIELDS
      ? fields(input, sizes)
      : list(input);
  input.element = element(
    "fieldset",
    { className: sizes === 1 ? "" : "wide" },
    element("legend", {}, name, " ", element("small", { textContent: detail })),
    parts,
  );
  return input;
}

function fields(input, count) {
  const text = input.type === "string";
  const boxes = Array.from({ length: count }, (_, place) => {
    const box = element("input", {
      type: "text",
      inputMode: text ? "text" : "decimal",
      value: text ? "" : "0",
      autocomplete: "off",
    });
    box.setAttribute("aria-label", count === 1 ? input.name : `${input.name} ${place}`);
    return box;
  });
  input.read = () => ({ values: boxes.map((box) => box.value), dims: input.dims });
  input.fill = (tensor) =>
    boxes.forEach((box, place) => {
      box.value = written(tensor, place);
    });
  return element(
    "div",
    { className: "fields" },
    ...boxes.map((box, place) => (count === 1 ? box : element("label", {}, String(place), box))),
  );
}

// One value as people write it: seven digits say all that a 32-bit float holds.
function written({ type, data }, place) {
  const value = state.replay.plain({ type, data: data.slice(place, place + 1) })[0];
  return type === "float32" || type === "float16" ? String(Number(value.toPrecision(7))) : String(value);
}

// A long or free input: values with commas or spaces between them; a free dimension takes as many as there are.
function list(input) {
  const box = element("textarea", { spellcheck: false, value: "0" });
  box.setAttribute("aria-label", input.name);
  input.shown = input.dims;
  input.read = () => {
    const values = input.type === "string" ? box.value.split(/\r?\n/) : box.value.split(/[\s,;]+/).filter(Boolean);
    return { values, dims: shaped(input, values.length) };
  };
  input.fill = ({ type, data, dims }) => {
    input.shown = [1, ...dims.slice(1)];
    box.value = Array.from(data, (_, place) => written({ type, data }, place)).join(type === "string" ? "\n" : ", ");
  };
  const hint = input.type === "string" ? "one text a line" : "values with commas or spaces between them";
  return element("label", {}, hint, box);
}

function shaped(input, count) {
  const free = input.dims.filter((dim) => dim === null).length;
  const known = input.dims.reduce((product, dim) => product * (dim ?? 1), 1);
  if (free > 1 && input.shown.reduce((a, b) => a * (b ?? 1), 1) === count) return input.shown;
  if (free > 1)
    throw new Error(`${input.name} has ${free} free dimensions: keep the number of values of the recorded sample.`);
  if (free === 0 && known !== count) throw new Error(`${input.name} takes ${known} values and got ${count}.`);
  if (count % known) throw new Error(`${input.name} takes a multiple of ${known} values and got ${count}.`);
  return input.dims.map((dim) => dim ?? count / known);
}

// Pictures ---------------------------------------------------------------------------------------------------------------

const SCALES = {
  "0 to 1": (value) => value / 255,
  "0 to 255": (value) => value,
  "-1 to 1": (value) => value / 127.5 - 1,
  "ImageNet mean and spread": (value, channel) =>
    (value / 255 - [0.485, 0.456, 0.406][channel % 3]) / [0.229, 0.224, 0.225][channel % 3],
};

const few = (dim) => dim === 1 || dim === 3;

// Four dimensions with one or three channels, in second or last place.
function picture(type, dims) {
  return dims.length === 4 && type !== "string" && dims[0] === 1 && (few(dims[1]) || few(dims[3]));
}

function drop(input) {
  const first = few(input.dims[1]);
  const channels = first ? input.dims[1] : input.dims[3];
  const [height, width] = (first ? input.dims.slice(2) : input.dims.slice(1, 3)).map((dim) => dim ?? 224);
  const canvas = element("canvas", { width, height });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `What ${input.name} holds, ${width} by ${height}`);
  const scale = element("select", {}, ...Object.keys(SCALES).map((name) => element("option", { textContent: name })));
  const file = element("input", { type: "file", accept: "image/*" });
  const zone = element(
    "div",
    { className: "drop" },
    element("label", {}, "Choose a picture, or drop one here", file),
    element("label", {}, "Numbers that the model was trained on", scale),
  );
  const place = (c, y, x) => (first ? (c * height + y) * width + x : (y * width + x) * channels + c);
  let pixels = null;
  let values = new Float64Array(channels * height * width);
  const take = async (blob) => {
    try {
      pixels = await resized(await createImageBitmap(blob), canvas);
      spread();
    } catch {
      say("This browser cannot read that picture. Use a PNG or JPEG file.");
    }
  };
  const spread = () => {
    if (!pixels) return;
    values = new Float64Array(channels * height * width);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const [r, g, b] = pixels.subarray(4 * (y * width + x));
        const colours = channels === 1 ? [0.299 * r + 0.587 * g + 0.114 * b] : [r, g, b];
        colours.forEach((value, c) => {
          values[place(c, y, x)] = SCALES[scale.value](value, c);
        });
      }
  };
  file.onchange = () => file.files[0] && take(file.files[0]);
  scale.onchange = spread;
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  };
  input.read = () => ({ values, dims: first ? [1, channels, height, width] : [1, height, width, channels] });
  input.fill = (tensor) => {
    if (tensor.data.length !== values.length) return;
    pixels = null;
    values = Float64Array.from(state.replay.plain(tensor));
    shown(canvas, values, channels, place);
  };
  return element("div", { className: "picture" }, canvas, zone);
}

async function resized(bitmap, canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

// Draws numbers of any range as a picture, from the least to the largest.
function shown(canvas, values, channels, place) {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const span = values.reduce((a, b) => Math.max(a, b), -Infinity) - low || 1;
  const image = new ImageData(canvas.width, canvas.height);
  for (let y = 0; y < canvas.height; y++)
    for (let x = 0; x < canvas.width; x++) {
      const at = 4 * (y * canvas.width + x);
      for (let c = 0; c < 3; c++) image.data[at + c] = (255 * (values[place(c % channels, y, x)] - low)) / span;
      image.data[at + 3] = 255;
    }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
