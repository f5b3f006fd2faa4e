// Play: the filter slides from window to window and writes the result, or the gradient is scattered back.

const sweep = { direction: null, at: 0, timer: null, partial: null, whole: null };
const LONGEST = 14000; // milliseconds of a whole play
const isPlaying = () => sweep.direction !== null;

const windowCount = (layer) => layer.axes[0].starts.length * layer.axes[1].starts.length;

function windowAt(layer, k) {
  const columns = layer.axes[1].starts.length;
  return [Math.floor(k / columns), k % columns];
}

/** Forward, a convolution gathers what lies in a window; backward it scatters. A transposed one does the opposite. */
function operationNow(layer) {
  return (sweep.direction === "forward") !== layer.transposed ? "gather" : "scatter";
}

/** The array that the play fills. */
function sweptName(layer) {
  return namesOf(layer, operationNow(layer) === "gather" ? "windows" : "pixels").summed;
}

/** A plane as far as the play has come: windows that have had their turn, or what they have put into the pixels. */
function sweptPlane(layer, plane) {
  if (operationNow(layer) === "gather") {
    return { ...plane, numbers: Array.from(plane.numbers, (number, k) => (k <= sweep.at ? number : null)) };
  }
  const [rows, columns] = extentOf(layer, "pixels");
  return { rows, columns, numbers: partialSums(layer) };
}

/** Σ over the windows so far of what they put into each pixel of the chosen channel. Kept from step to step. */
function partialSums(layer) {
  const key = keyOfSums();
  if (sweep.partial?.key !== key || sweep.partial.until > sweep.at) sweep.partial = { key, until: -1, sums: startSums(layer) };
  while (sweep.partial.until < sweep.at) addWindow(layer, sweep.partial.sums, ++sweep.partial.until);
  return sweep.partial.sums;
}

const keyOfSums = () => [chosen.layer, chosen.image, chosen.channel, sweep.direction].join();

/** The same over all windows: for the scale of a gradient that the step didn't compute. */
function wholeSums(layer) {
  if (sweep.whole?.key !== keyOfSums()) {
    sweep.whole = { key: keyOfSums(), sums: startSums(layer) };
    for (let k = 0; k < windowCount(layer); k++) addWindow(layer, sweep.whole.sums, k);
  }
  return sweep.whole.sums;
}

/** What is there before the first window: the bias, and what the filters that aren't shown put there. */
function startSums(layer) {
  const bias = layer.transposed ? at(arrayOf(layer, "bias"), chosen.channel) ?? 0 : 0;
  const rest = arrayOf(layer, "pixel_rest");
  const count = layer.axes[0].size * layer.axes[1].size;
  return rest === null ? new Float64Array(count).fill(bias) : Float64Array.from(planeOf(rest, chosen.image, chosen.channel).numbers, (number) => number + bias);
}

function addWindow(layer, sums, k) {
  const [row, column] = windowAt(layer, k);
  const [down, across] = layer.axes;
  for (const { product } of spreadOf(layer, { ...chosen, row, column })) {
    product.numbers.forEach((number, tap) => {
      const pixels = [pixelUnder(down, row, Math.floor(tap / across.taps)), pixelUnder(across, column, tap % across.taps)];
      if (isInside(down, pixels[0]) && isInside(across, pixels[1])) sums[pixels[0] * across.size + pixels[1]] += number;
    });
  }
}

// ----------------------------------------------------------------------------------------------------------- controls

/** Begin a play, or go on with it, or pause it. */
function play(direction) {
  const layer = layerNow();
  if (!canPlay(layer, direction)) return;
  if (sweep.direction === direction && sweep.timer !== null) return pause();
  if (sweep.direction !== direction || sweep.at >= windowCount(layer) - 1) Object.assign(sweep, { direction, at: 0, partial: null });
  clearInterval(sweep.timer);
  const count = windowCount(layer);
  const pace = Math.min(500, Math.max(30, LONGEST / count));
  const stride = Math.max(1, Math.round((pace * count) / LONGEST));
  sweep.timer = setInterval(() => (sweep.at >= count - 1 ? pause() : sweepTo(sweep.at + stride)), pace);
  sweepTo(sweep.at);
}

/** Whether the numbers that a play needs are known. */
function canPlay(layer, direction) {
  return givenOf(layer, (direction === "forward") !== layer.transposed ? "pixels" : "windows") !== null;
}

function sweepTo(position) {
  const layer = layerNow();
  sweep.at = Math.max(0, Math.min(position, windowCount(layer) - 1));
  const [row, column] = windowAt(layer, sweep.at);
  choose({ side: "windows", row, column });
}

function pause() {
  clearInterval(sweep.timer);
  sweep.timer = null;
  showControls();
}

function endSweep() {
  pause();
  Object.assign(sweep, { direction: null, at: 0, partial: null });
}

function showControls() {
  const layer = layerNow();
  for (const direction of ["forward", "backward"]) {
    const runs = sweep.direction === direction && sweep.timer !== null;
    find(direction).textContent = runs ? "pause" : `▶ ${direction}`;
    find(direction).disabled = !canPlay(layer, direction);
  }
  find("stop").hidden = !isPlaying();
  find("now").textContent = isPlaying() ? `window ${sweep.at + 1} of ${windowCount(layer)}` : "";
  Object.assign(document.body.dataset, { play: sweep.direction ?? "", at: sweep.at });
}
