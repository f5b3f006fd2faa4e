// The choice of a number, by mouse and keyboard.

/** Change what is chosen, and show it. */
function choose(change) {
  const before = chosen.layer;
  const image = chosen.image;
  Object.assign(chosen, change);
  keepInside(change);
  if (chosen.layer !== before || chosen.image !== image) buildStage();
  show();
  if (chosen.layer !== before) find("layers").children[chosen.layer].scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Keep the choice among what there is: map and channel in one group, places within their planes. */
function keepInside(change) {
  const layer = layerNow();
  chosen.image = Math.min(chosen.image, layer.images.length - 1);
  chosen.channel = Math.min(chosen.channel, keptChannels(layer) - 1);
  chosen.map = Math.min(chosen.map, keptMaps(layer) - 1);
  const [channels, maps] = [channelsSeenBy(layer, chosen.map), mapsThatSee(layer, chosen.channel)];
  if (!channels.includes(chosen.channel)) {
    if (change.channel === undefined) chosen.channel = channels[0];
    else chosen.map = maps[0];
  }
  if (chosen.side === "weights" && !hasFilters(layer)) chosen.side = "windows";
  Object.assign(chosen, insideOf(layer, chosen.side));
}

function show() {
  drawStage();
  drawPanel();
  showControls();
  for (const tab of find("layers").children) tab.setAttribute("aria-current", Number(tab.dataset.number) === chosen.layer);
}

/** Move the chosen place; in a play, from window to window. */
function move(down, across) {
  if (isPlaying()) {
    pause();
    return sweepTo(sweep.at + across + down * layerNow().axes[1].starts.length);
  }
  const [rows, columns] = extentOf(layerNow(), chosen.side);
  choose({ row: Math.max(0, Math.min(chosen.row + down, rows - 1)), column: Math.max(0, Math.min(chosen.column + across, columns - 1)) });
}

/** To the first number or the last; in a play, to its beginning or its end. */
function toEnd(isLast) {
  const layer = layerNow();
  if (isPlaying()) {
    pause();
    return sweepTo(isLast ? windowCount(layer) - 1 : 0);
  }
  const [rows, columns] = extentOf(layer, chosen.side);
  choose(isLast ? { row: rows - 1, column: columns - 1 } : { row: 0, column: 0 });
}

/** The next of several, or the one before; after the last comes the first. */
function turn(key, count, step) {
  if (key === "layer") endSweep();
  choose({ [key]: (chosen[key] + step + count) % count });
}

/** Where the chosen number is found again, in the layer that it came from or in those that it goes to. */
function neighboursOf(layer) {
  if (chosen.side === "weights") return [];
  const isInput = letterOf(layer, chosen.side) === "x";
  const here = scope.layers.indexOf(layer);
  const channel = chosen.side === "pixels" ? chosen.channel : chosen.map;
  return scope.layers.flatMap((other, k) => {
    if (isInput ? layer.before !== k : other.before !== here) return [];
    const side = ["pixels", "windows"].find((one) => letterOf(other, one) === (isInput ? "z" : "x"));
    const [key, kept] = side === "pixels" ? ["channel", keptChannels(other)] : ["map", keptMaps(other)];
    const isKept = channel < kept && chosen.image < other.images.length;
    return isKept ? [{ other, change: { layer: k, side, [key]: channel } }] : [];
  });
}

function follow(change) {
  endSweep();
  choose(change);
}

/** To the layer before, from its result to the input here; or from a result to the layer after. */
function toNeighbour(letter) {
  if (letterOf(layerNow(), chosen.side) !== letter) return;
  const [neighbour] = neighboursOf(layerNow());
  if (neighbour) follow(neighbour.change);
}

function toSide(letter) {
  endSweep();
  const layer = layerNow();
  const side = letter === "w" ? "weights" : ["pixels", "windows"].find((side) => letterOf(layer, side) === letter);
  choose({ side, ...insideOf(layer, side) });
}

const KEYS = {
  arrowright: () => move(0, 1),
  arrowleft: () => move(0, -1),
  arrowdown: () => move(1, 0),
  arrowup: () => move(-1, 0),
  home: () => toEnd(false),
  end: () => toEnd(true),
  f: () => play("forward"),
  b: () => play("backward"),
  " ": () => play(sweep.direction ?? "forward"),
  escape: () => (endSweep(), show()),
  x: () => toSide("x"),
  w: () => toSide("w"),
  z: () => toSide("z"),
  p: () => toNeighbour("x"),
  n: () => toNeighbour("z"),
  i: (step) => turn("image", layerNow().images.length, step),
  c: (step) => turn("channel", keptChannels(layerNow()), step),
  k: (step) => turn("map", keptMaps(layerNow()), step),
  l: (step) => turn("layer", scope.layers.length, step),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.target.closest?.("button")) return; // the button's own
  const action = KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action(event.shiftKey ? -1 : 1);
}

function layerTab(layer, k) {
  const kind = layer.name.startsWith(layer.kind) ? "" : `${layer.kind} `;
  const tab = element("button", { "data-number": k }, element("b", {}, shorten(layer.name, 24)), element("small", {}, kind + aboutOf(layer)));
  tab.addEventListener("click", () => (endSweep(), choose({ layer: k })));
  return tab;
}

/** Sizes of a layer: `3×3, 6 → 16, stride 2`. */
function aboutOf(layer) {
  const axes = layer.axes.slice(isSignal(layer) ? 1 : 0);
  const times = (numberOf) => [...new Set(axes.map(numberOf))].length > 1 ? axes.map(numberOf).join("×") : numberOf(axes[0]);
  const stride = times((axis) => (axis.starts.length > 1 ? axis.starts[1] - axis.starts[0] : 1));
  const dilation = times((axis) => axis.dilation);
  const sizes = axes.map((axis) => axis.taps).join("×");
  const parts = [hasFilters(layer) ? sizes : `${sizes} over ${axes.map((axis) => axis.size).join("×")}`];
  if (hasFilters(layer)) parts.push(layer.transposed ? `${layer.maps} → ${layer.channels}` : `${layer.channels} → ${layer.maps}`);
  if (stride !== 1) parts.push(`stride ${stride}`);
  if (dilation !== 1) parts.push(`dilation ${dilation}`);
  if (hasFilters(layer) && layer.groups > 1) parts.push(`${layer.groups} groups`);
  return parts.join(", ");
}

function start() {
  find("layers").replaceChildren(...scope.layers.map(layerTab));
  const without = scope.left_out.length ? `; left out for their size: ${scope.left_out.join(", ")} (layers="${scope.left_out[0]}" shows one alone)` : "";
  find("facts").textContent = `where each number comes from, and where its gradient goes${without}`;
  addEventListener("keydown", onKey);
  addEventListener("resize", () => (measureStage(), show()));
  const buttons = { previous: () => move(0, -1), next: () => move(0, 1), forward: () => play("forward"), backward: () => play("backward"), stop: KEYS.escape };
  for (const [id, action] of Object.entries(buttons)) find(id).addEventListener("click", action);
  buildStage();
  choose(strongestWindow(layerNow()));
}

/** The window with the largest gradient; without gradients, with the largest value. */
function strongestWindow(layer) {
  const { numbers } = planeOf(arrayOf(layer, "window_gradient") ?? arrayOf(layer, "windows"), 0, 0);
  const place = numbers.reduce((best, number, k) => (Math.abs(number) > Math.abs(numbers[best]) ? k : best), 0);
  const [row, column] = windowAt(layer, place);
  return { row, column };
}

start();
