// What is outlined on the pictures, and what shines.

/** The outlines on the pictures of a side: the chosen number, and on the other sides what it met. */
function marksOn(layer, side) {
  const { row, column } = chosen;
  if (side === chosen.side) return [{ row, column, strong: true }];
  if (chosen.side === "windows" && side === "pixels") return [coverOf(layer, [row, column])];
  if (chosen.side === "pixels") return side === "windows" ? windowMarks(layer) : side === "weights" && hasFilters(layer) ? tapMarks(layer) : [];
  if (chosen.side === "weights" && side === "pixels") return metByWeight(layer);
  return [];
}

const MANY = 200;

function windowMarks(layer) {
  const [down, across] = [windowsWith(layer.axes[0], chosen.row), windowsWith(layer.axes[1], chosen.column)];
  const places = down.flatMap((p) => across.map((q) => ({ row: p.window, column: q.window })));
  return boxesOf(places);
}

function tapMarks(layer) {
  const [down, across] = [windowsWith(layer.axes[0], chosen.row), windowsWith(layer.axes[1], chosen.column)];
  return boxesOf(down.flatMap((p) => across.map((q) => ({ row: p.tap, column: q.tap }))));
}

/** The pixels that the chosen weight met. */
function metByWeight(layer) {
  const [down, across] = layer.axes.map((axis, k) => {
    const tap = k ? chosen.column : chosen.row;
    return axis.starts.map((_, window) => pixelUnder(axis, window, tap)).filter((pixel) => isInside(axis, pixel));
  });
  return boxesOf(down.flatMap((row) => across.map((column) => ({ row, column }))));
}

/** One box around places that fill it, else one around each; of very many, one around them all. */
function boxesOf(places) {
  if (!places.length) return [];
  const [rows, columns] = [places.map(({ row }) => row), places.map(({ column }) => column)];
  const box = { row: Math.min(...rows), column: Math.min(...columns) };
  Object.assign(box, { rows: Math.max(...rows) - box.row + 1, columns: Math.max(...columns) - box.column + 1 });
  return box.rows * box.columns === places.length || places.length > MANY ? [box] : places;
}

/** The maxima that shine: the one of the chosen window; in a play, of all windows that have had their turn. */
function litOn(layer, { side, kind }) {
  if (side !== "pixels" || kind !== "values" || layer.arrays.chosen === undefined) return [];
  const columns = layer.axes[1].size;
  return litWindows(layer).map(([row, column]) => {
    const place = at(arrayOf(layer, "chosen"), chosen.image, chosen.map, row, column);
    return [Math.floor(place / columns), place % columns];
  });
}

function litWindows(layer) {
  if (isPlaying()) return numbersBetween(0, sweep.at + 1).map((k) => windowAt(layer, k));
  return chosen.side === "windows" ? [[chosen.row, chosen.column]] : [];
}
