// The three sums. Each is made of rows: two planes, their products, and the sum of these.

/** What a number is the sum of: rows of terms, what is left out, the bias, and the number that the step computed. */
function sumOf(layer, chosen) {
  const found = { windows: windowSum, pixels: pixelSum, weights: weightSum }[chosen.side](layer, chosen);
  if (found === null) return null;
  const terms = [...found.rows.map(({ sum }) => sum), found.bias ?? 0, found.rest ?? 0];
  const total = terms.reduce((sum, term) => sum + term, 0);
  const size = found.rows.reduce((sum, row) => sum + row.size, 0) + Math.abs(found.bias ?? 0) + Math.abs(found.rest ?? 0);
  // float32 kernels add in another order, and round each product.
  const agrees = found.recorded === null ? null : isClose(total, found.recorded, 100 * layer.precision * size);
  return { ...found, total, agrees };
}

function isClose(one, other, tolerance) {
  return Object.is(one, other) || Number.isNaN(one) === Number.isNaN(other) && (Number.isNaN(one) || Math.abs(one - other) <= tolerance + 1e-45);
}

/** A window: for each channel, the pixels under it times what they are multiplied by. */
function windowSum(layer, { image, map, row, column }) {
  const pixels = givenOf(layer, "pixels");
  if (pixels === null) return null;
  const [down, across] = layer.axes;
  const rows = channelsSeenBy(layer, map).map((channel) => {
    const cells = cellsOf(down.taps, across.taps, (i, j) => {
      const [r, c] = [pixelUnder(down, row, i), pixelUnder(across, column, j)];
      if (r === null || c === null) return null;
      const isPixel = isInside(down, r) && isInside(across, c);
      const factor = factorAt(layer, image, map, channel, [row, column], [i, j]);
      return { left: isPixel ? at(pixels, image, channel, r, c) : 0, right: factor, isPadding: !isPixel, counts: isPixel && isUsed(layer, factor) };
    });
    return { channel, ...rowOf(down.taps, across.taps, cells) };
  });
  return {
    rows,
    bias: layer.transposed ? null : at(arrayOf(layer, "bias"), map),
    rest: at(arrayOf(layer, "window_rest"), image, map, row, column),
    recorded: at(summedOf(layer, "windows"), image, map, row, column),
  };
}

/** A pixel: for each map, what it is multiplied by in each window that holds it, times the number of that window. */
function pixelSum(layer, { image, channel, row, column }) {
  const windows = givenOf(layer, "windows");
  if (windows === null) return null;
  const [down, across] = [windowsWith(layer.axes[0], row), windowsWith(layer.axes[1], column)];
  const rows = mapsThatSee(layer, channel).map((map) => {
    const cells = cellsOf(down.length, across.length, (i, j) => {
      const place = [down[i].window, across[j].window];
      const factor = factorAt(layer, image, map, channel, place, [down[i].tap, across[j].tap]);
      return { left: factor, right: at(windows, image, map, ...place), isPadding: false, counts: isUsed(layer, factor) };
    });
    return { map, ...rowOf(down.length, across.length, cells) };
  });
  return {
    rows,
    bias: layer.transposed ? at(arrayOf(layer, "bias"), channel) : null,
    rest: at(arrayOf(layer, "pixel_rest"), image, channel, row, column),
    recorded: at(summedOf(layer, "pixels"), image, channel, row, column),
  };
}

/** A weight: for each image, the pixel that it met in each window, times the number of that window; the largest first. */
function weightSum(layer, { map, channel, row, column }) {
  const [pixels, windows] = [givenOf(layer, "pixels"), givenOf(layer, "windows")];
  if (pixels === null || windows === null) return null;
  const [down, across] = layer.axes;
  const [tall, wide] = [down.starts.length, across.starts.length];
  const rows = layer.images.map((_, image) => {
    const cells = cellsOf(tall, wide, (p, q) => {
      const [r, c] = [pixelUnder(down, p, row), pixelUnder(across, q, column)];
      const isPixel = isInside(down, r) && isInside(across, c);
      return { left: isPixel ? at(pixels, image, channel, r, c) : 0, right: at(windows, image, map, p, q), isPadding: !isPixel, counts: isPixel };
    });
    return { image, ...rowOf(tall, wide, cells) };
  });
  rows.sort((one, other) => Math.abs(other.sum) - Math.abs(one.sum) || one.image - other.image);
  const place = [map, channel % channelsPerGroup(layer), row, column];
  return {
    rows,
    bias: null,
    rest: at(arrayOf(layer, "weight_rest"), ...place),
    recorded: at(arrayOf(layer, "weight_gradient"), ...place),
    whole: at(arrayOf(layer, "whole"), ...place),
  };
}

function cellsOf(rows, columns, cell) {
  return Array.from({ length: rows * columns }, (_, k) => cell(Math.floor(k / columns), k % columns));
}

/** Whether a pixel enters a sum: of a maximum the others don't, not even as 0 · ∞. */
function isUsed(layer, factor) {
  return layer.arrays.chosen === undefined || factor !== 0;
}

/** The planes of a row of cells; a cell is null where a window has no such tap. */
function rowOf(rows, columns, cells) {
  const plane = (numberOf) => ({ rows, columns, numbers: cells.map((cell) => (cell === null ? null : numberOf(cell))) });
  const isPadding = cells.map((cell) => cell?.isPadding ?? false);
  const product = { ...plane(({ left, right, counts }) => (counts ? left * right : 0)), isPadding };
  const sum = product.numbers.reduce((total, number) => total + number, 0);
  const size = product.numbers.reduce((total, number) => total + Math.abs(number), 0);
  return { left: { ...plane(({ left }) => left), isPadding }, right: plane(({ right }) => right), product, sum, size };
}

/** What a window puts into the pixels that it holds: for each map, its factors times its number; the largest first. */
function spreadOf(layer, { image, channel, row, column }) {
  const windows = givenOf(layer, "windows");
  const [down, across] = layer.axes;
  const rows = mapsThatSee(layer, channel).map((map) => {
    const number = at(windows, image, map, row, column);
    const cells = cellsOf(down.taps, across.taps, (i, j) => {
      const [r, c] = [pixelUnder(down, row, i), pixelUnder(across, column, j)];
      if (r === null || c === null) return null;
      const isPixel = isInside(down, r) && isInside(across, c);
      const factor = factorAt(layer, image, map, channel, [row, column], [i, j]);
      return { left: factor, right: number, isPadding: !isPixel, counts: isPixel && isUsed(layer, factor) };
    });
    const { left, product } = rowOf(down.taps, across.taps, cells);
    // Only the products fall into the padding.
    return { map, left: { ...left, isPadding: undefined }, right: { rows: 1, columns: 1, numbers: [number] }, product };
  });
  return rows.sort((one, other) => Math.abs(other.right.numbers[0]) - Math.abs(one.right.numbers[0]));
}
