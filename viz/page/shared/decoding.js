// Decodes what encoding.py writes: floats that JSON can't represent, and arrays as their bytes.

const FLOATS = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** The data in the script with this id, null if there is none; `revive` makes each of its values, as for JSON.parse. */
function dataOf(id, revive = reviveFloat) {
  return JSON.parse(find(id)?.textContent ?? "null", revive);
}

function reviveFloat(key, value) {
  return value?.float ? FLOATS[value.float] : value;
}

/** The numbers of a packed array. */
function floatsOf({ float32, float64 }) {
  return float32 === undefined ? new Float64Array(bytesOf(float64).buffer) : new Float32Array(bytesOf(float32).buffer);
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
