// Pictures: each strip holds all frames of one picture, row r of frame f in its row r · frames + f.

/** What moves with the frame: functions of its number. */
const movers = [];

/** The pictures that change with the frame: a canvas, the image of its strip, and its size. */
const strips = [];

/** The canvas of one picture in all frames, at a whole multiple of its size. */
function stripCanvas(picture, label, widest) {
  const { width, height } = picture;
  const canvas = element("canvas", { width, height, role: "img", "aria-label": label });
  const scale = Math.max(1, Math.min(Math.floor(widest / width), Math.floor(220 / height), 14));
  canvas.style.width = `${width * scale}px`;
  const strip = { canvas, image: imageOf(picture.png), width, height };
  strip.image.addEventListener("load", () => drawStrip(strip));
  strips.push(strip);
  return canvas;
}

function imageOf(png) {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  return image;
}

function drawStrip({ canvas, image, width, height }) {
  if (!image.complete || !image.naturalWidth) return;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  for (let row = 0; row < height; row++) context.drawImage(image, 0, row * frames + now, width, 1, 0, row, width, 1);
}

/** The canvas of a picture that stays the same. */
function stillCanvas({ width, height, png }, label) {
  const canvas = element("canvas", { width, height: Math.max(height, 1), role: "img", "aria-label": label });
  const image = imageOf(png);
  image.addEventListener("load", () => canvas.getContext("2d").drawImage(image, 0, 0));
  if (width > 4 * height) canvas.style.objectFit = "fill"; // a signal: its elements side by side
  return canvas;
}

/** The colour scale of a picture, and its ends in each frame. */
function scaleOf({ lows, highs, signed }) {
  const [low, high] = [element("span"), element("span")];
  movers.push((frame) => {
    low.textContent = written(lows[frame], 2);
    high.textContent = written(highs[frame], 2);
  });
  const bar = element("i", { "aria-hidden": "true" });
  return element("span", { class: `scale ${signed ? "signed" : "unsigned"}` }, low, bar, high);
}
