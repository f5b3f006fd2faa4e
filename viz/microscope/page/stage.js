// The stage: input, filter and result, above them the values, below them the gradients; and the strips to choose from.

/** What is chosen. `layer` is an index, `image` one of those kept; `side` says which picture `row` and `column` lie in. */
const chosen = { layer: 0, image: 0, channel: 0, map: 0, side: "windows", row: 0, column: 0 };
const layerNow = () => scope.layers[chosen.layer];

let pictures = [];

/** The sizes of the planes of a side. */
function extentOf(layer, side) {
  return layer.axes.map((axis) => ({ pixels: axis.size, windows: axis.starts.length, weights: axis.taps })[side]);
}

const sidesOf = (layer) => (layer.transposed ? ["windows", "weights", "pixels"] : ["pixels", "weights", "windows"]);

function buildStage() {
  const layer = layerNow();
  pictures = [];
  const columns = sidesOf(layer).map((side) => element("div", { class: "side", "data-side": side }, sideHeading(layer, side), picturesOf(layer, side), side === "weights" ? "" : stripOf(layer, side)));
  find("stage").replaceChildren(...columns);
  find("stage").dataset.rank = isSignal(layer) ? 1 : 2;
  find("images").replaceChildren(...imageButtons(layer));
}

function sideHeading(layer, side) {
  if (side === "weights") {
    const title = hasFilters(layer) ? "w" : layer.arrays.chosen === undefined ? "share of each" : "chosen";
    return element("h3", {}, title, element("small", {}, hasFilters(layer) ? " filter " : " window ", nameTag(layer.weights, 22)));
  }
  const letter = letterOf(layer, side);
  return element("h3", {}, letter, element("small", {}, letter === "x" ? " input " : " result ", nameTag(layer[side].name, 22)));
}

function picturesOf(layer, side) {
  const names = side === "weights" ? { values: "weights", gradient: "weight_gradient" } : namesOf(layer, side);
  const kinds = side === "weights" && !hasFilters(layer) ? ["values"] : ["values", "gradient"];
  return kinds.map((kind) => {
    const canvas = element("canvas", { tabindex: 0, role: "img" });
    const caption = element("figcaption");
    const picture = { canvas, caption, side, kind, name: names[kind] };
    canvas.addEventListener("pointerdown", (event) => chooseAt(picture, event));
    canvas.addEventListener("focus", () => chosen.side !== side && choose({ side, ...insideOf(layer, side) }));
    pictures.push(picture);
    return element("figure", { "data-kind": kind }, canvas, caption);
  });
}

/** The chosen place, moved into the planes of another side. */
function insideOf(layer, side) {
  const [rows, columns] = extentOf(layer, side);
  return { row: Math.min(chosen.row, rows - 1), column: Math.min(chosen.column, columns - 1) };
}

function chooseAt(picture, event) {
  const layer = layerNow();
  const box = picture.canvas.getBoundingClientRect();
  const [rows, columns] = extentOf(layer, picture.side);
  const [[above, below], [left, right]] = marginOf(layer, picture.side);
  const row = Math.floor(((event.clientY - box.top) / box.height) * (rows + above + below)) - above;
  const column = Math.floor(((event.clientX - box.left) / box.width) * (columns + left + right)) - left;
  if (row < 0 || row >= rows || column < 0 || column >= columns) return;
  if (picture.side === "weights" && !hasFilters(layer)) return;
  endSweep();
  choose({ side: picture.side, row, column });
}

const marginOf = (layer, side) => (side === "pixels" ? layer.axes.map(paddingOf) : [[0, 0], [0, 0]]);

// --------------------------------------------------------------------------------------------------------- drawing

function drawStage() {
  const layer = layerNow();
  for (const picture of pictures) drawPicture(layer, picture);
  for (const button of document.querySelectorAll(".strip button")) {
    button.setAttribute("aria-pressed", Number(button.dataset.number) === chosen[button.dataset.chooses]);
  }
}

function drawPicture(layer, picture) {
  const plane = shownPlane(layer, picture);
  const { canvas, caption, side, kind } = picture;
  const letter = side === "weights" ? "w" : letterOf(layer, side);
  const title = kind === "values" ? letter : gradientName(letter);
  canvas.hidden = plane === null;
  if (plane === null) return caption.replaceChildren(`${title} was not recorded${letter === "x" ? ": x needs no gradient" : ""}`);
  const [rows, columns] = [plane.rows, plane.columns];
  const margin = marginOf(layer, side);
  const [tall, wide] = [rows + margin[0][0] + margin[0][1], columns + margin[1][0] + margin[1][1]];
  const cell = cellOnStage(layer, picture, tall, wide);
  const scale = stageScale(layer, picture);
  draw(canvas, plane, { cell, scale, margin, marks: marksOn(layer, side), lit: litOn(layer, picture), written: true });
  canvas.setAttribute("aria-label", `${title}, ${rows} by ${columns}`);
  const name = side === "weights" && !hasFilters(layer) ? "" : `${title}[${side === "weights" ? `${chosen.map}, ${chosen.channel % channelsPerGroup(layer)}` : `${layer.images[chosen.image]}, ${side === "pixels" ? chosen.channel : chosen.map}`}]`;
  caption.replaceChildren(name, legendOf(scale));
}

function cellOnStage(layer, { canvas }, rows, columns) {
  const width = canvas.closest(".side").clientWidth;
  if (isSignal(layer)) return [Math.max(1, Math.min(Math.floor(width / columns), 60)), 34];
  return cellFor(rows, columns, width, innerWidth > 1000 ? 220 : 300);
}

/** One scale for all channels and images of an array, so that they can be compared. */
function stageScale(layer, { side, kind, name }) {
  if (side === "weights" && !hasFilters(layer)) return { low: 0, high: layer.arrays.chosen === undefined ? scaleOf(arrayOf(layer, "shares").numbers).high : 1, signed: false };
  const array = arrayOf(layer, name);
  return scaleOf(array === null ? wholeSums(layer) : array.numbers, side === "weights" || kind === "gradient");
}

/** What a picture shows: the plane of what is chosen, as far as the play has come. */
function shownPlane(layer, { side, name }) {
  if (side === "weights" && !hasFilters(layer)) return factorPlane(layer);
  const array = arrayOf(layer, name);
  const isSwept = isPlaying() && name === sweptName(layer);
  if (array === null) return isSwept ? sweptPlane(layer) : null;
  if (side === "weights") return planeOf(array, chosen.map, chosen.channel % channelsPerGroup(layer));
  const plane = planeOf(array, chosen.image, side === "pixels" ? chosen.channel : chosen.map);
  return isSwept ? sweptPlane(layer, plane) : plane;
}

/** Of a pooling: what each pixel of the chosen window is multiplied by. */
function factorPlane(layer) {
  const [rows, columns] = extentOf(layer, "weights");
  const place = chosen.side === "windows" ? [chosen.row, chosen.column] : windowBeside(layer);
  if (place === null) return { rows, columns, numbers: Array(rows * columns).fill(null) };
  const cells = cellsOf(rows, columns, (i, j) => {
    const pixels = layer.axes.map((axis, k) => pixelUnder(axis, place[k], k ? j : i));
    return pixels.every((pixel, k) => isInside(layer.axes[k], pixel)) ? factorAt(layer, chosen.image, chosen.map, chosen.channel, place, [i, j]) : null;
  });
  return { rows, columns, numbers: cells };
}

/** The first window that holds the chosen pixel. */
function windowBeside(layer) {
  const found = [windowsWith(layer.axes[0], chosen.row)[0], windowsWith(layer.axes[1], chosen.column)[0]];
  return found.includes(undefined) ? null : found.map(({ window }) => window);
}

// ---------------------------------------------------------------------------------------------------- marks and light

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

/** The maxima that shine: the one of the chosen window; of those that the play has met, all. */
function litOn(layer, { side }) {
  if (side !== "pixels" || layer.arrays.chosen === undefined) return [];
  const places = isPlaying() ? numbersBetween(0, sweep.at + 1).map((k) => windowAt(layer, k)) : chosen.side === "windows" ? [[chosen.row, chosen.column]] : [];
  const columns = layer.axes[1].size;
  return places.map(([row, column]) => at(arrayOf(layer, "chosen"), chosen.image, chosen.map, row, column)).map((place) => [Math.floor(place / columns), place % columns]);
}

// ------------------------------------------------------------------------------------------------------------ strips

/** Small pictures of all channels of a side. */
function stripOf(layer, side) {
  const [chooses, count, all] = side === "pixels" ? ["channel", keptChannels(layer), layer.channels] : ["map", keptMaps(layer), layer.maps];
  const array = arrayOf(layer, side);
  const buttons = count > 1 ? numbersBetween(0, count).map((k) => stripButton(chooses, k, planeOf(array, chosen.image, k), scaleOf(array.numbers))) : [];
  const more = count < all ? element("small", {}, `${count} of ${all}`) : "";
  const label = chooses === "channel" ? "Channel of the pixels" : "Channel of the windows";
  return element("div", { class: "strip", role: "group", "aria-label": label }, buttons, more);
}

function stripButton(chooses, number, plane, scale, label = `${chooses} ${number}`) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  draw(canvas, plane, { cell: [28 / plane.columns, (plane.rows === 1 ? 12 : 28) / plane.rows], scale });
  return chooserButton(canvas, chooses, number, label);
}

function chooserButton(canvas, chooses, number, label) {
  const button = element("button", { "data-chooses": chooses, "data-number": number, "aria-label": label, title: label }, canvas);
  button.addEventListener("click", () => choose({ [chooses]: number }));
  return button;
}

/** The images as the first layer was given them, where this layer has the same ones. */
function imageButtons(layer) {
  const first = scope.layers[0];
  const shown = first.batch === layer.batch ? first : layer;
  const array = arrayOf(shown, shown.transposed ? "windows" : "pixels");
  const left = layer.batch - layer.images.length;
  const buttons = layer.images.map((name, k) => imageButton(array, k, `image ${name}`));
  const note = `${left ? "" : "all "}${counted(layer.images.length, "image")}${left ? `; the ${counted(left, "other")} are in the sums alone` : ""}`;
  return [element("small", {}, note), ...buttons];
}

/** An image of three channels in colours, else its first channel. */
function imageButton(array, k, label) {
  const scale = scaleOf(array.numbers);
  if (array.shape[1] !== 3) return stripButton("image", k, planeOf(array, k, 0), scale, label);
  const channels = [0, 1, 2].map((channel) => planeOf(array, k, channel));
  const share = (number) => (number - scale.low) / (scale.high - scale.low || 1);
  const plane = { ...channels[0], numbers: numbersBetween(0, channels[0].numbers.length) };
  const canvas = element("canvas", { "aria-hidden": "true" });
  draw(canvas, plane, { cell: [28 / plane.columns, (plane.rows === 1 ? 12 : 28) / plane.rows], color: (place) => channels.map(({ numbers }) => Math.round(255 * share(numbers[place]))) });
  return chooserButton(canvas, "image", k, label);
}
