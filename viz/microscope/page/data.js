// The layers and their arrays: exact numbers, as the step computed them.

const scope = dataOf("scope");
const decoded = new Map();

/** An array of a layer, its shape and numbers; null where it isn't known. */
function arrayOf(layer, name) {
  const place = layer.arrays[name];
  if (place === undefined) return null;
  if (!decoded.has(place)) {
    const packed = scope.arrays[place];
    decoded.set(place, { shape: packed.shape, numbers: floatsOf(packed) });
  }
  return decoded.get(place);
}

/** An element of an array; null where the array isn't known. */
function at(array, ...index) {
  if (array === null) return null;
  return array.numbers[index.reduce((place, k, axis) => place * array.shape[axis] + k, 0)];
}

/** The last two axes of an array, as rows and columns. */
function planeOf(array, ...index) {
  const [rows, columns] = array.shape.slice(-2);
  const start = index.reduce((place, k, axis) => place * array.shape[axis] + k, 0) * rows * columns;
  return { rows, columns, numbers: array.numbers.subarray(start, start + rows * columns) };
}

/** The names of a side's arrays: the numbers that sums are made of, and those that the sums of this side give. */
function namesOf(layer, side) {
  const [values, gradient] = side === "pixels" ? ["pixels", "pixel_gradient"] : ["windows", "window_gradient"];
  const isInput = (side === "pixels") !== layer.transposed;
  return isInput ? { values, gradient, given: values, summed: gradient } : { values, gradient, given: gradient, summed: values };
}

const givenOf = (layer, side) => arrayOf(layer, namesOf(layer, side).given);
const summedOf = (layer, side) => arrayOf(layer, namesOf(layer, side).summed);
const hasFilters = (layer) => layer.arrays.weights !== undefined;
const isSignal = (layer) => layer.axes[0].size === 1 && layer.axes[0].taps === 1;
