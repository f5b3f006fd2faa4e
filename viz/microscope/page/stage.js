// The stage: input, filter and result; above the values, below the gradients.

/** What is chosen. `layer` is an index, `image` one of those kept; `side` says which picture `row` and `column` lie in. */
const chosen = { layer: 0, image: 0, channel: 0, map: 0, side: "windows", row: 0, column: 0 };
const layerNow = () => scope.layers[chosen.layer];

let pictures = [];
let sumWidth = 0;

/** The sizes of the planes of a side. */
function extentOf(layer, side) {
  return layer.axes.map((axis) => ({ pixels: axis.size, windows: axis.starts.length, weights: axis.taps })[side]);
}

const sidesOf = (layer) => (layer.transposed ? ["windows", "weights", "pixels"] : ["pixels", "weights", "windows"]);

function buildStage() {
  const layer = layerNow();
  pictures = [];
  find("stage").replaceChildren(...sidesOf(layer).map((side) => columnOf(layer, side)));
  find("stage").dataset.rank = isSignal(layer) ? 1 : 2;
  find("images").replaceChildren(...imageButtons(layer));
  measureStage();
}

/** Widths are read once: reading them between two drawings would lay out the page each time. */
function measureStage() {
  for (const picture of pictures) picture.width = picture.canvas.closest(".side").clientWidth;
  sumWidth = find("terms").clientWidth;
}

function columnOf(layer, side) {
  const strip = side === "weights" ? "" : stripOf(layer, side);
  return element("div", { class: "side", "data-side": side }, sideHeading(layer, side), picturesOf(layer, side), strip);
}

function sideHeading(layer, side) {
  if (side === "weights" && !hasFilters(layer)) {
    const [title, more] = layer.arrays.chosen === undefined ? ["share", " of each pixel"] : ["chosen", " of the window"];
    return element("h2", {}, title, element("small", {}, more));
  }
  if (side === "weights") return element("h2", {}, "w", element("small", {}, " filter ", nameTag(layer.weights, 22)));
  const letter = letterOf(layer, side);
  return element("h2", {}, letter, element("small", {}, letter === "x" ? " input " : " result ", nameTag(layer[side].name, 22)));
}

function picturesOf(layer, side) {
  const names = side === "weights" ? { values: "weights", gradient: "weight_gradient" } : namesOf(layer, side);
  const kinds = side === "weights" && !hasFilters(layer) ? ["values"] : ["values", "gradient"];
  return kinds.map((kind) => {
    const canvas = element("canvas", { tabindex: 0, role: "img" });
    const caption = element("figcaption");
    const picture = { canvas, caption, side, kind, name: names[kind] };
    canvas.addEventListener("click", (event) => chooseAt(picture, event));
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
  const { canvas, caption, side } = picture;
  const title = titleOfPicture(layer, picture);
  canvas.hidden = plane === null;
  if (plane === null) return caption.replaceChildren(`${title} was not recorded${title.endsWith("x") ? ": x needs no gradient" : ""}`);
  const margin = marginOf(layer, side);
  const [rows, columns] = [plane.rows, plane.columns].map((count, k) => count + margin[k][0] + margin[k][1]);
  const [cell, scale] = [cellOnStage(layer, picture, rows, columns), stageScale(layer, picture)];
  draw(canvas, plane, { cell, scale, margin, marks: marksOn(layer, side), lit: litOn(layer, picture), written: true });
  canvas.setAttribute("aria-label", `${title}, ${plane.rows} by ${plane.columns}`);
  caption.replaceChildren(title ? `${title}[${planeIndex(layer, side).join(", ")}]` : "", legendOf(scale));
}

/** `x`, `∂L/∂w`; nothing for the factors of a pooling. */
function titleOfPicture(layer, { side, kind }) {
  if (side === "weights" && !hasFilters(layer)) return "";
  const letter = side === "weights" ? "w" : letterOf(layer, side);
  return kind === "values" ? letter : gradientName(letter);
}

/** The first two indices of what a picture shows. */
function planeIndex(layer, side) {
  if (side === "weights") return [chosen.map, chosen.channel % channelsPerGroup(layer)];
  return [layer.images[chosen.image], side === "pixels" ? chosen.channel : chosen.map];
}

function cellOnStage(layer, { width }, rows, columns) {
  if (isSignal(layer)) return [Math.min(width / columns, 60), 34];
  return cellFor(rows, columns, width, innerWidth > 1000 ? 220 : 300);
}

/** One scale for all channels and images of an array, so that they can be compared. */
function stageScale(layer, { side, kind, name }) {
  const shares = arrayOf(layer, "shares");
  if (side === "weights" && !hasFilters(layer)) return { low: 0, high: shares === null ? 1 : scaleOf(shares.numbers).high, signed: false };
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
    if (!pixels.every((pixel, k) => isInside(layer.axes[k], pixel))) return null;
    return factorAt(layer, chosen.image, chosen.map, chosen.channel, place, [i, j]);
  });
  return { rows, columns, numbers: cells };
}

/** The first window that holds the chosen pixel. */
function windowBeside(layer) {
  const found = [windowsWith(layer.axes[0], chosen.row)[0], windowsWith(layer.axes[1], chosen.column)[0]];
  return found.includes(undefined) ? null : found.map(({ window }) => window);
}
