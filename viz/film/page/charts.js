// Charts: the loss of every step, the gradient and the update of every layer; and the same numbers as a table.

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [360, 118, 46, 22, 16];
const lastStep = Math.max(reel.steps[frames - 1], reel.losses.at(-1)?.[0] ?? 0, 1);
const x = (step) => LEFT + ((WIDTH - LEFT - 8) * step) / lastStep;

let followed = null;

function startCharts() {
  const loss = reel.losses.filter(([, value]) => value !== null);
  const atFrames = (values) => values.map((value, k) => [reel.steps[k], value]);
  const means = meansOf(loss);
  const lines = (what) => reel.tracks.map((track, k) => ({ points: atFrames(track[what]), color: colorOf(k), track }));
  const charts = [
    chart(`loss of each step${means.length ? ", and means" : ""}`, [{ points: loss, look: means.length ? "loss" : "mean" }, { points: means, look: "mean" }], (k) => written(reel.frame_losses[k], 4)),
    chart("‖gradient‖ of each layer, log scale", lines("gradients")),
    chart("‖update‖ of each layer, log scale", lines("updates")),
  ];
  find("charts").replaceChildren(...charts);
  find("tracks").tBodies[0].replaceChildren(...reel.tracks.map(trackRow));
}

/** The means over forty parts of a long curve; none of a short one. */
function meansOf(points) {
  const size = Math.floor(points.length / 40);
  if (size < 3) return [];
  const parts = Array.from({ length: 40 }, (_, k) => points.slice(k * size, k < 39 ? (k + 1) * size : undefined));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return parts.map((part) => [mean(part.map(([step]) => step)), mean(part.map(([, value]) => value))]);
}

/** From violet, the first layer, to orange, the last. */
function colorOf(k) {
  const hue = 265 - (235 * k) / Math.max(reel.tracks.length - 1, 1);
  return `hsl(${Math.round(hue)} 75% var(--lightness))`;
}

function chart(title, lines, reading) {
  const isLog = lines.every(({ points }) => points.every(([, value]) => value === null || value >= 0));
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => value !== null && (!isLog || value > 0));
  const y = heights(values, isLog);
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}, over the steps` });
  svg.append(...y.ticks.flatMap((tick) => gridLine(y(tick), tickText(tick, isLog))));
  svg.append(shape("text", { class: "title", x: 0, y: 12 }, title));
  svg.append(shape("text", { x: LEFT, y: HEIGHT - 3 }, "0"), shape("text", { x: WIDTH - 8, y: HEIGHT - 3, "text-anchor": "end" }, `${lastStep} steps`));
  for (const line of lines) svg.append(lineOf(line, y, isLog));
  const cursor = shape("line", { class: "cursor", y1: TOP - 4, y2: HEIGHT - BOTTOM });
  svg.append(cursor);
  const text = shape("text", { class: "reading", x: WIDTH - 8, y: 12 });
  svg.append(text);
  movers.push((k) => {
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(reel.steps[k]));
    if (reading) text.textContent = reading(k);
  });
  const box = element("div", { class: "chart" }, svg);
  box.addEventListener("click", (event) => show(frameAt(event, svg)));
  return box;
}

/** The map from values to heights, with the values of its grid lines. */
function heights(values, isLog) {
  const scale = isLog ? Math.log10 : (value) => value;
  let [low, high] = values.length ? [Math.min(...values.map(scale)), Math.max(...values.map(scale))] : [0, 1];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const y = (value) => HEIGHT - BOTTOM - ((scale(value) - low) / (high - low)) * (HEIGHT - BOTTOM - TOP);
  y.floor = HEIGHT - BOTTOM;
  y.ticks = isLog ? powersOfTen(low, high) : [low, (low + high) / 2, high];
  return y;
}

/** Powers of ten within the range, at most five; of a narrow range its ends. */
function powersOfTen(low, high) {
  const [first, last] = [Math.ceil(low - 1e-9), Math.floor(high + 1e-9)];
  if (last - first < 1) return [10 ** low, 10 ** high];
  const step = Math.ceil((last - first) / 4);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, k) => 10 ** (first + k * step));
}

function tickText(tick, isLog) {
  const exponent = Math.log10(tick);
  const isPower = isLog && Math.abs(exponent - Math.round(exponent)) < 1e-9 && Math.abs(exponent) > 2;
  return isPower ? powerOfTen(Math.round(exponent)) : written(tick, 2);
}

function gridLine(y, text) {
  return [
    shape("line", { class: "axis", x1: LEFT, x2: WIDTH - 8, y1: y, y2: y }),
    shape("text", { x: LEFT - 5, y: y + 4, "text-anchor": "end" }, text),
  ];
}

/** A line through the values; it has a gap where there is none, or where 0 can't be shown. */
function lineOf({ points, color, track, look }, y, isLog) {
  let isDrawing = false;
  const path = points.map(([step, value]) => {
    const isKnown = value !== null && (!isLog || value > 0);
    const command = isKnown ? `${isDrawing ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}` : "";
    isDrawing = isKnown;
    return command;
  });
  return shape("path", { class: look, d: path.join(""), style: color && `stroke:${color}`, "data-track": track?.name });
}

function frameAt(event, svg) {
  const box = svg.getBoundingClientRect();
  const step = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - 8) * lastStep;
  const distances = reel.steps.map((other) => Math.abs(other - step));
  return distances.indexOf(Math.min(...distances));
}

// -------------------------------------------------------------------------------------------------------------- table

function trackRow(track, k) {
  const swatch = element("i", { class: "swatch", style: `background:${colorOf(k)}`, "aria-hidden": "true" });
  const button = element("button", { "aria-pressed": "false", title: `follow ${track.name}` }, swatch, element("span", {}, track.name));
  button.addEventListener("click", () => follow(track.name));
  const cells = ["gradients", "updates", "ratios"].map(() => element("td", {}));
  const row = element("tr", { "data-track": track.name }, element("td", {}, button), cells);
  movers.push((frame) => {
    ["gradients", "updates", "ratios"].forEach((what, column) => (cells[column].textContent = written(track[what][frame])));
    Object.assign(row.dataset, { gradient: track.gradients[frame], update: track.updates[frame] });
  });
  return row;
}

/** Emphasize the lines of a layer, or none if it was emphasized. */
function follow(name) {
  followed = followed === name ? null : name;
  find("charts").classList.toggle("faded", followed !== null);
  for (const path of find("charts").querySelectorAll("[data-track]")) path.classList.toggle("followed", path.dataset.track === followed);
  for (const row of find("tracks").tBodies[0].rows) {
    row.querySelector("button").setAttribute("aria-pressed", row.dataset.track === followed);
  }
}
