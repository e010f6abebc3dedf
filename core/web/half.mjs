// 16-bit floats (IEEE 754 binary16) for browsers and versions of Node that have no Float16Array.

const bits = new DataView(new ArrayBuffer(4));

export function fromHalf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}

// Rounds to the nearest, and a tie to the even neighbour. A double that float32 cannot hold is rounded to float32 first.
export function toHalf(value) {
  bits.setFloat32(0, value);
  const sign = (bits.getUint32(0) >>> 16) & 0x8000;
  const size = Math.abs(bits.getFloat32(0));
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(size ? Math.floor(Math.log2(size)) : -14, -14);
  const steps = even(size / 2 ** (exponent - 10));
  return sign | (steps < 1024 && exponent === -14 ? steps : ((exponent + 14) << 10) + steps);
}

function even(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2) ? floor + 1 : floor;
}
