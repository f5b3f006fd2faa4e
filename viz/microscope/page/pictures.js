// Pictures of planes: one square for each number, white for 0 where the sign matters, outlines around what belongs together.

const BLACK = [0, 0, 0];
const SMALLEST_TEXT = { width: 30, height: 18 };
const scales = new WeakMap();

/** The scale of colours for some numbers: from blue over white to vermilion, or from black to white where none is negative. */
function scaleOf(numbers, signed = false) {
  if (!scales.has(numbers)) {
    let [low, high] = [Infinity, -Infinity];
    for (const number of numbers) {
      if (number === null || !Number.isFinite(number)) continue;
      if (number < low) low = number;
      if (number > high) high = number;
    }
    scales.set(numbers, low > high ? [0, 0] : [low, high]);
  }
  const [low, high] = scales.get(numbers);
  const most = Math.max(-low, high);
  return signed || low < 0 ? { low: -most, high: most, signed: true } : { low, high, signed: false };
}

function colorOf(number, { low, high, signed }) {
  if (signed) return mix(WHITE, number < 0 ? BLUE : VERMILION, high > 0 ? Math.min(Math.abs(number) / high, 1) : 0);
  return mix(BLACK, WHITE, high > low ? (number - low) / (high - low) : 1);
}

/** The plane at one canvas pixel for each number; what isn't known or isn't finite is left out. */
function rasterOf({ rows, columns, numbers }, color) {
  const raster = new OffscreenCanvas(columns, rows);
  const image = new ImageData(columns, rows);
  numbers.forEach((number, k) => {
    if (number !== null && Number.isFinite(number)) image.data.set([...color(number), 255], 4 * k);
  });
  raster.getContext("2d").putImageData(image, 0, 0);
  return raster;
}

/**
 * Draw a plane.
 *
 * `look` has the size of a cell `cell: [width, height]`, the `scale` or the `color` of a number, and maybe the padding
 * around it `margin: [[above, below], [left, right]]`, outlines `marks: [{ row, column, rows,
 * columns, strong }]`, the places that shine `lit: [[row, column]]`, and whether large cells show their numbers.
 */
function draw(canvas, plane, { cell, scale, color = (number) => colorOf(number, scale), margin = [[0, 0], [0, 0]], marks = [], lit = [], written = false }) {
  const [width, height] = cell;
  const [[above, below], [left, right]] = margin;
  const context = sized(canvas, (plane.columns + left + right) * width, (plane.rows + above + below) * height);
  hatch(context, canvas);
  context.translate(left * width, above * height);
  context.imageSmoothingEnabled = false;
  context.drawImage(rasterOf(plane, color), 0, 0, plane.columns * width, plane.rows * height);
  if (plane.isPadding) hatchCells(context, plane, cell);
  if (written && width >= SMALLEST_TEXT.width && height >= SMALLEST_TEXT.height) writeNumbers(context, plane, cell, scale);
  for (const [row, column] of lit) lightUp(context, column * width, row * height, width, height);
  for (const mark of marks) outline(context, mark, cell);
}

/** The context of a canvas that is so large on the screen, sharp on fine screens. */
function sized(canvas, width, height) {
  const ratio = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return context;
}

/** Padding and unknown numbers are hatched. */
function hatch(context, canvas) {
  context.fillStyle = hatchPattern(context);
  context.fillRect(0, 0, canvas.width, canvas.height);
}

function hatchCells(context, { columns, isPadding }, [width, height]) {
  context.fillStyle = hatchPattern(context);
  isPadding.forEach((isHatched, k) => {
    const place = [(k % columns) * width, Math.floor(k / columns) * height, width, height];
    if (!isHatched) return;
    context.clearRect(...place);
    context.fillRect(...place);
  });
}

const tile = new OffscreenCanvas(6, 6);

function hatchPattern(context) {
  return context.createPattern(tile, "repeat");
}

function drawTile() {
  const pen = tile.getContext("2d");
  pen.strokeStyle = "rgb(128 128 128 / 45%)";
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift, 6);
    pen.lineTo(shift + 6, 0);
  }
  pen.stroke();
}

drawTile();

function writeNumbers(context, { columns, numbers, isPadding }, [width, height], scale) {
  context.font = `${Math.min(12, width / 3.4)}px system-ui, Helvetica, Arial, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  numbers.forEach((value, k) => {
    if (value === null) return;
    const [red, green, blue] = Number.isFinite(value) ? colorOf(value, scale) : WHITE;
    context.fillStyle = isPadding?.[k] ? "#808080" : 0.3 * red + 0.59 * green + 0.11 * blue > 140 ? "#1d1d1f" : "#ffffff";
    context.fillText(brief(value, 2), (k % columns + 0.5) * width, (Math.floor(k / columns) + 0.5) * height, width - 2);
  });
}

function outline(context, { row, column, rows = 1, columns = 1, strong = false }, [width, height]) {
  const [x, y] = [column * width, row * height];
  for (const [color, thickness] of [["#1d1d1f", strong ? 5 : 4], [strong ? "#ffd400" : "#ffffff", strong ? 3 : 1.5]]) {
    context.strokeStyle = color;
    context.lineWidth = thickness;
    context.strokeRect(x, y, columns * width, rows * height);
  }
}

function lightUp(context, x, y, width, height) {
  const radius = Math.max(1.5, Math.min(width, height) / 4);
  context.beginPath();
  context.arc(x + width / 2, y + height / 2, radius, 0, 2 * Math.PI);
  context.fillStyle = "#ffd400";
  context.fill();
  context.strokeStyle = "#1d1d1f";
  context.lineWidth = 1;
  context.stroke();
}

/** The colours of a scale, with their numbers. */
function legendOf({ low, high, signed }) {
  const bar = element("i", { "aria-hidden": "true" });
  const [from, to] = [low, high].map((end) => element("span", {}, brief(end, 2)));
  return element("span", { class: `scale ${signed ? "signed" : "unsigned"}` }, from, bar, to);
}

/** The size of a cell so that a plane fits: whole pixels, at least one each. */
function cellFor(rows, columns, width, height, largest = 44) {
  const size = Math.max(1, Math.min(Math.floor(width / columns), Math.floor(height / rows), largest));
  return [size, size];
}
