// Small pictures of arrays.

const NO_PIXEL = 255;

/** A histogram: bars between the minimum and the maximum. */
function histogram(counts, low, high, color) {
  const [width, height] = [240, 56];
  const most = Math.max(...counts, 1);
  const step = width / counts.length;
  const bars = counts.map((count, k) => {
    const tall = count ? Math.max((count / most) * height, 1) : 0;
    return shape("rect", { x: k * step, y: height - tall, width: step - 1, height: tall, fill: color });
  });
  const drawing = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "histogram" }, bars);
  return element("figure", { class: "histogram" }, drawing, legend(low, high));
}

/** An array as a picture: from white to blue, or, where the sign matters, from blue over white to vermilion. */
function picture(pixels, diverging) {
  const { rows, columns, low, high } = pixels;
  const canvas = element("canvas", { width: columns, height: rows, role: "img", "aria-label": "picture" });
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  const image = new ImageData(columns, rows);
  const color = diverging ? divergingColor(low, high) : sequentialColor;
  [...atob(pixels.bytes)].forEach((letter, k) => {
    const level = letter.charCodeAt(0);
    if (level !== NO_PIXEL) image.data.set([...color(level / (NO_PIXEL - 1)), 255], 4 * k);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The picture with a colour bar. */
function pictureWithLegend(pixels, diverging) {
  const { low, high } = pixels;
  const ramp = Array.from({ length: 64 }, (_, k) => Math.round((k * (NO_PIXEL - 1)) / 63));
  const bar = { rows: 1, columns: 64, low, high, bytes: btoa(String.fromCharCode(...ramp)) };
  const between = picture(bar, diverging);
  return element("figure", { class: "picture" }, picture(pixels, diverging), legend(low, high, between));
}

/** The minimum and the maximum, with an element between them. */
function legend(low, high, between) {
  const [from, to] = [element("span", {}, number(low, 3)), element("span", {}, number(high, 3))];
  return element("div", { class: "legend" }, from, between, to);
}

function sequentialColor(share) {
  return mix([247, 251, 255], [0, 52, 94], share);
}

/** White is 0; full colour is the greatest absolute value. */
function divergingColor(low, high) {
  const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return (share) => {
    const value = (low + share * (high - low)) / most;
    return mix(WHITE, value < 0 ? BLUE : VERMILION, Math.abs(value));
  };
}
