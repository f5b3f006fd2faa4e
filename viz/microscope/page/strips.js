// Strips of small pictures: the images, and the channels of both sides.

/** Small pictures of all channels of a side. */
function stripOf(layer, side) {
  const isPixels = side === "pixels";
  const [count, all] = isPixels ? [keptChannels(layer), layer.channels] : [keptMaps(layer), layer.maps];
  const array = arrayOf(layer, side);
  const planes = count > 1 ? numbersBetween(0, count).map((k) => planeOf(array, chosen.image, k)) : [];
  const buttons = planes.map((plane, k) => stripButton(isPixels ? "channel" : "map", k, plane, scaleOf(array.numbers)));
  const label = `Channel of ${letterOf(layer, side)}`;
  return element("div", { class: "strip", role: "group", "aria-label": label }, buttons, count < all ? element("small", {}, `${count} of ${all}`) : "");
}

function stripButton(chooses, number, plane, scale, label = `${chooses} ${number}`) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  draw(canvas, plane, { cell: thumbnailCell(plane), scale });
  return chooserButton(canvas, chooses, number, label);
}

/** A signal is a flat strip. */
const thumbnailCell = ({ rows, columns }) => [28 / columns, (rows === 1 && columns > 1 ? 12 : 28) / rows];

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
  const buttons = layer.images.map((name, k) => imageButton(array, k, `image ${name}`));
  const all = counted(layer.batch, isSignal(layer) ? "signal" : "image");
  const others = hasFilters(layer) ? "; the others are in the sums alone" : "";
  const note = layer.images.length < layer.batch ? `${layer.images.length} of ${all}${others}` : `all ${all}`;
  return [element("small", {}, note), ...buttons];
}

/** An image of three channels in colours, else its first channel. */
function imageButton(array, k, label) {
  const scale = scaleOf(array.numbers);
  if (array.shape[1] !== 3) return stripButton("image", k, planeOf(array, k, 0), scale, label);
  const channels = [0, 1, 2].map((channel) => planeOf(array, k, channel));
  const level = (number) => Math.round((255 * (number - scale.low)) / (scale.high - scale.low || 1));
  const plane = { ...channels[0], numbers: numbersBetween(0, channels[0].numbers.length) };
  const canvas = element("canvas", { "aria-hidden": "true" });
  const color = (place) => channels.map(({ numbers }) => level(numbers[place]));
  draw(canvas, plane, { cell: thumbnailCell(plane), color });
  return chooserButton(canvas, "image", k, label);
}
