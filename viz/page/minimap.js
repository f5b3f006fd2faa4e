// The minimap: the whole drawing in a corner, and in it the part that is in view. It is hidden where all is in view.

/** Its largest size in pixels and as a share of the stage, and the least width and height. */
const MAP = { width: 150, height: 220, share: 0.3, least: 28 };

/** What it shows: the fold and the stage that it was drawn for, the drawing's extent, and pixels per unit. */
const map = { number: -1, frame: null, extent: null, across: 1, down: 1 };

function startMinimap() {
  const follow = ({ clientX, clientY, buttons }) => {
    if (buttons !== 1) return;
    const { x, y } = find("map").getBoundingClientRect();
    view.x = view.frame.width / 2 - view.scale * (map.extent.left + (clientX - x) / map.across);
    view.y = view.frame.height / 2 - view.scale * (map.extent.top + (clientY - y) / map.down);
    showView();
  };
  find("minimap").addEventListener("pointerdown", follow);
  find("minimap").addEventListener("pointermove", follow);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);
  view.moved = () => {
    showParts();
    showMap();
  };
}

/** Show where the view is. */
function showMap() {
  if (map.number !== folding.number || map.frame !== view.frame) drawMap();
  const { extent, across, down } = map;
  const { x, y, scale, frame } = view;
  const [left, top] = [(-x / scale - extent.left) * across, (-y / scale - extent.top) * down];
  const [width, height] = [(frame.width / scale) * across, (frame.height / scale) * down];
  const whole = { width: find("map").width, height: find("map").height };
  const slack = 1;
  const isWhole = left <= slack && top <= slack && left + width >= whole.width - slack && top + height >= whole.height - slack;
  find("minimap").hidden = isWhole;
  if (isWhole) return;
  const clip = (from, size, all) => [Math.max(Math.min(from, all - 3), 0), Math.min(from + size, all)];
  const [[x0, x1], [y0, y1]] = [clip(left, width, whole.width), clip(top, height, whole.height)];
  const style = `translate:${x0}px ${y0}px;width:${Math.max(x1 - x0, 3)}px;height:${Math.max(y1 - y0, 3)}px`;
  find("in-view").setAttribute("style", style);
}

/** Draw all boxes, those of problems in their colour. */
function drawMap() {
  Object.assign(map, { number: folding.number, frame: view.frame });
  map.extent = view.extent();
  const [wide, high] = [map.extent.right - map.extent.left, map.extent.bottom - map.extent.top];
  const [width, height] = [Math.min(MAP.width, view.frame.width * MAP.share), Math.min(MAP.height, view.frame.height * MAP.share)];
  const scale = Math.min(width / wide, height / high);
  const canvas = find("map");
  canvas.width = Math.max(Math.round(wide * scale), MAP.least);
  canvas.height = Math.max(Math.round(high * scale), MAP.least);
  map.across = canvas.width / wide;
  map.down = canvas.height / high;
  const colors = getComputedStyle(document.body);
  const pen = canvas.getContext("2d");
  const marks = new Set(problems.map(placeOfProblem));
  const boxes = drawnParts().filter(({ kind }) => kind !== "edge" && kind !== "cluster");
  for (const [name, chosen] of [["--bar", boxes], ["--bad", [...marks].filter(Boolean)]]) {
    pen.fillStyle = colors.getPropertyValue(name);
    for (const { placed } of chosen) {
      const [left, top] = [(placed.left - map.extent.left) * map.across, (placed.top - map.extent.top) * map.down];
      const size = [(placed.right - placed.left) * map.across, (placed.bottom - placed.top) * map.down];
      pen.fillRect(left, top, Math.max(size[0], 1), Math.max(Math.min(size[1], name === "--bad" ? 4 : Infinity), 0.5));
    }
  }
}
