// Which pixel each tap of each window meets, and which channels see each other.

const WITHOUT = Object.freeze([]);
const meetingsOf = new WeakMap();

/** The pixel under a tap of a window along an axis, in the padding below 0 or beyond the size; null without that tap. */
function pixelUnder(axis, window, tap) {
  return tap < (axis.lengths?.[window] ?? axis.taps) ? axis.starts[window] + tap * axis.dilation : null;
}

const isInside = (axis, pixel) => pixel !== null && pixel >= 0 && pixel < axis.size;

/** The windows that hold a pixel along an axis, each with the tap that lies on it. */
function windowsWith(axis, pixel) {
  if (!meetingsOf.has(axis)) meetingsOf.set(axis, meetingsAlong(axis));
  return meetingsOf.get(axis)[pixel] ?? WITHOUT;
}

function meetingsAlong(axis) {
  const found = Array.from({ length: axis.size }, () => []);
  for (let window = 0; window < axis.starts.length; window++) {
    for (let tap = 0; tap < axis.taps; tap++) {
      const pixel = pixelUnder(axis, window, tap);
      if (isInside(axis, pixel)) found[pixel].push({ window, tap });
    }
  }
  return found;
}

/** The rows and columns that a window covers, those in the padding too. */
function coverOf(layer, [row, column]) {
  const [first, last] = [0, 1].map((end) => layer.axes.map((axis, k) => {
    const window = k ? column : row;
    return pixelUnder(axis, window, end ? (axis.lengths?.[window] ?? axis.taps) - 1 : 0);
  }));
  return { row: first[0], column: first[1], rows: last[0] - first[0] + 1, columns: last[1] - first[1] + 1 };
}

/** How far windows reach over the edges of an axis: before it and behind it. */
function paddingOf(axis) {
  const ends = axis.starts.map((start, window) => start + ((axis.lengths?.[window] ?? axis.taps) - 1) * axis.dilation);
  return [Math.max(0, -Math.min(...axis.starts)), Math.max(0, Math.max(...ends) - axis.size + 1)];
}

const channelsPerGroup = (layer) => layer.channels / layer.groups;
const mapsPerGroup = (layer) => layer.maps / layer.groups;

/** The kept channels that a map sees. */
function channelsSeenBy(layer, map) {
  const size = channelsPerGroup(layer);
  const first = Math.floor(map / mapsPerGroup(layer)) * size;
  return numbersBetween(first, Math.min(first + size, keptChannels(layer)));
}

/** The kept maps that see a channel. */
function mapsThatSee(layer, channel) {
  const size = mapsPerGroup(layer);
  const first = Math.floor(channel / channelsPerGroup(layer)) * size;
  return numbersBetween(first, Math.min(first + size, keptMaps(layer)));
}

const keptChannels = (layer) => arrayOf(layer, "pixels").shape[1];
const keptMaps = (layer) => arrayOf(layer, "windows").shape[1];
const numbersBetween = (first, end) => Array.from({ length: Math.max(0, end - first) }, (_, k) => first + k);

/** What a pixel is multiplied by in a window: the weight under the tap; of pooling, 1 for the maximum, or its share. */
function factorAt(layer, image, map, channel, [row, column], [i, j]) {
  if (hasFilters(layer)) return at(arrayOf(layer, "weights"), map, channel % channelsPerGroup(layer), i, j);
  const shares = arrayOf(layer, "shares");
  if (shares !== null) return at(shares, row, column);
  const place = pixelUnder(layer.axes[0], row, i) * layer.axes[1].size + pixelUnder(layer.axes[1], column, j);
  return isInside(layer.axes[1], pixelUnder(layer.axes[1], column, j)) && at(arrayOf(layer, "chosen"), image, map, row, column) === place ? 1 : 0;
}
