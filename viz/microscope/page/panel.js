// The panel: the chosen number, taken apart into pictures that add up to it.

const PICTURE = { width: 118, height: 118 };

function drawPanel() {
  const layer = layerNow();
  const sum = hasSum(layer) ? sumOf(layer, chosen) : null;
  if (isPlaying() && operationNow(layer) === "scatter") showSpread(layer);
  else showSum(layer, sum);
  tell(layer, sum);
}

const hasSum = (layer) => chosen.side !== "weights" || hasFilters(layer);

/** Where the chosen number comes from. */
function showSum(layer, sum) {
  const story = storyOf(layer, chosen).map((text) => line(text));
  find("sum-title").replaceChildren(...titleOf(layer, sum));
  find("said").replaceChildren(formulaLine(layer, chosen), ...story, linksOf(layer));
  find("terms").replaceChildren(...(sum === null ? [] : termRows(layer, sum)));
  find("total").replaceChildren(...(sum === null ? [] : totalRows(layer, sum)));
}

/** In a play, what a window puts into the pixels. */
function showSpread(layer) {
  find("sum-title").replaceChildren(...spreadTitle(layer));
  find("said").replaceChildren(formulaLine(layer, { side: "pixels" }), ...spreadStory(layer).map((text) => line(text)));
  find("terms").replaceChildren(...spreadRows(layer));
  find("total").replaceChildren();
}

const formulaLine = (layer, chosen) => element("p", { class: "formula" }, formulaOf(layer, chosen));

/** Buttons to the same number in the layers before and after: relu and the like keep it at its place. */
function linksOf(layer) {
  const buttons = neighboursOf(layer).map(({ other, change }) => {
    const verb = letterOf(layer, chosen.side) === "x" ? "came from" : "goes to";
    const button = element("button", { class: "link" }, `it ${verb} ${elementName(other, { ...chosen, ...change })} of ${other.name}`);
    button.addEventListener("click", () => follow(change));
    return button;
  });
  return element("p", { class: "links" }, buttons);
}

/** What is shown, for scripts. */
function tell(layer, sum) {
  const told = document.body.dataset;
  for (const key of ["total", "recorded", "agrees", "rest"]) {
    if (sum === null) delete told[key];
    else told[key] = key === "rest" ? sum.rest ?? 0 : sum[key];
  }
  Object.assign(told, chosen, { image: layer.images[chosen.image], layer: layer.name });
}

function titleOf(layer, sum) {
  const name = summedName(layer, chosen);
  const value = sum === null ? null : sum.recorded ?? sum.total;
  return value === null ? [name] : [name, " = ", element("b", {}, brief(value, 6))];
}

function spreadTitle(layer) {
  const target = letterOf(layer, "pixels") === "z" ? "z" : gradientName("x");
  const letter = letterOf(layer, "windows");
  const given = namesOf(layer, "windows").given === "windows" ? letter : gradientName(letter);
  return [`${given} at ${isSignal(layer) ? chosen.column : `(${chosen.row}, ${chosen.column})`} goes into ${target}`];
}

// -------------------------------------------------------------------------------------------------------------- rows

/** The names of the three planes of a row. */
function headsOf(layer, side) {
  const [pixel, window] = layer.transposed ? ["∂L/∂z", "x"] : ["x", "∂L/∂z"];
  const factor = hasFilters(layer) ? "w" : layer.arrays.chosen === undefined ? "share" : "chosen";
  if (side === "windows") return [`${pixel} in the window`, factor];
  return [`${side === "pixels" ? factor : pixel} it met`, `${window} there`];
}

function headRow([left, right], last = "sum") {
  const cells = ["", left, "·", right, "=", "products", last].map((text) => element("span", {}, text));
  return element("div", { class: "row head", "aria-hidden": "true" }, cells);
}

function termRows(layer, sum) {
  const scales = scalesOf(layer, chosen.side, sum.rows);
  return [headRow(headsOf(layer, chosen.side)), ...sum.rows.map((row) => termRow(layer, row, scales))];
}

/** The scales of a row's planes: as on the stage, and one for all products. */
function scalesOf(layer, side, rows) {
  const given = (of) => scaleOf(givenOf(layer, of).numbers, namesOf(layer, of).given.endsWith("gradient"));
  const factor = stageScale(layer, { side: "weights", name: "weights" });
  const left = side === "pixels" ? factor : given("pixels");
  const right = side === "windows" ? factor : given("windows");
  return { left, right, product: scaleOf(rows.flatMap(({ product }) => product.numbers), true) };
}

function termRow(layer, row, scales) {
  const [chooses, number] = ["channel", "map", "image"].map((key) => [key, row[key]]).find(([, k]) => k !== undefined);
  const label = { channel: `channel ${number}`, map: `filter ${number}`, image: `image ${layer.images[number]}` }[chooses];
  const button = element("button", { class: "link", title: `to ${label}` }, hasFilters(layer) ? label : label.replace("filter", "channel"));
  button.addEventListener("click", () => choose({ [chooses]: number }));
  const [left, right, product] = ["left", "right", "product"].map((name) => cellPicture(row[name], scales[name], name));
  const sum = row.sum === undefined ? "" : element("output", {}, brief(row.sum, 4));
  return element("div", { class: "row", "data-label": label, "data-sum": row.sum }, button, left, "·", right, "=", product, sum);
}

function cellPicture(plane, scale, name) {
  const canvas = element("canvas", { role: "img", "aria-label": `${name}: ${plane.rows} by ${plane.columns}` });
  if (!plane.rows || !plane.columns) return element("span", {}, "none");
  const width = Math.min(PICTURE.width, (sumWidth - 192) / 3);
  const [side] = cellFor(plane.rows, plane.columns, width, PICTURE.height);
  const isRow = plane.rows === 1 && plane.columns > 1;
  const cell = isRow ? [Math.min(width / plane.columns, 44), 28] : [side, side];
  draw(canvas, plane, { cell, scale, written: true });
  return canvas;
}

function spreadRows(layer) {
  const rows = spreadOf(layer, chosen);
  const window = namesOf(layer, "windows").given === "windows" ? "x" : "∂L/∂z";
  return [headRow([hasFilters(layer) ? "w" : "factor", window], ""), ...rows.map((row) => termRow(layer, row, scalesOf(layer, "pixels", rows)))];
}

// ------------------------------------------------------------------------------------------------------------- total

function totalRows(layer, { rows, rest, bias, total, recorded, agrees }) {
  const lines = [];
  if (rest !== null) lines.push(totalLine(`… ${restName(layer, rows.length)}`, rest, "rest"));
  if (bias !== null) lines.push(totalLine(`+ b[${chosen.side === "windows" ? chosen.map : chosen.channel}]`, bias, "bias"));
  lines.push(totalLine(`= ${summedName(layer, chosen)}`, total, "sum"));
  const look = agrees === false ? "verdict wrong" : "verdict";
  return [...lines, element("p", { class: look }, verdictOf(agrees, recorded, total))];
}

/** `43 other images` */
function restName(layer, shown) {
  if (chosen.side === "weights") return counted(layer.batch - shown, "other image");
  if (chosen.side === "windows") return counted(channelsPerGroup(layer) - shown, "other channel");
  return counted(mapsPerGroup(layer) - shown, "other filter");
}

function totalLine(text, value, kind) {
  return element("p", { class: `line ${kind}` }, element("span", {}, text), element("output", {}, brief(value, 6)));
}

function verdictOf(agrees, recorded, total) {
  if (recorded === null) return "The step didn't compute this number: x needs no gradient. This is what it would be.";
  const rounding = agrees && brief(total, 6) !== brief(recorded, 6) ? ", in its own rounding" : "";
  return `${agrees ? "✓" : "✗"} the step computed ${brief(recorded, 6)}${rounding}`;
}
