// Tensors of recorded answers and of a session: how they lie in a file, and how they become numbers or another kind of tensor.

import { fromHalf, toHalf } from "./half.mjs";

const ARRAYS = {
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  bool: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
};
const BIG = new Set(["int64", "uint64"]);
export const REAL = new Set(["float16", "float32", "float64"]);

// Reads what core/web/recorded.py packs, from an ArrayBuffer.
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const lift = ({ dtype, shape, values, at, bytes }) => {
    if (dtype === "string") return { type: dtype, dims: shape, data: values };
    const start = 4 + length + at;
    return { type: dtype, dims: shape, data: new ARRAYS[dtype](buffer.slice(start, start + bytes)) };
  };
  const cases = head.cases.map((one) => ({ ...one, inputs: one.inputs.map(lift), outputs: one.outputs.map(lift) }));
  return { ...head, cases };
}

// Numbers as the kind of tensor that a model asks for; texts stay texts.
export function cast({ type, data }, wanted) {
  if (type === wanted || wanted === "string") return data;
  const numbers = BIG.has(type) || type === "float16" ? plain({ type, data }) : data;
  if (wanted === "float16") return Uint16Array.from(numbers, toHalf);
  if (BIG.has(wanted)) return ARRAYS[wanted].from(numbers, (value) => BigInt(Math.trunc(Number(value))));
  return ARRAYS[wanted].from(numbers, Number);
}

// The values of a tensor as JavaScript numbers.
export function plain({ type, data }) {
  if (BIG.has(type)) return Array.from(data, Number);
  return type === "float16" && data instanceof Uint16Array ? Float64Array.from(data, fromHalf) : data;
}
