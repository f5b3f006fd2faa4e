// Folding of modules without a new layout: heights that nothing uses any more are removed from the drawing.

const HALF = 15; // half the height of a folded module; as much stays free at the top and the bottom of an open one
const FORWARD = ["#6b6b6b", "#b5b5b5"]; // the colours of lanes that carry data, not gradients

/** The parts of the drawing as it was laid out: every node, edge and module with its bounding box. */
const parts = { nodes: new Map(), edges: new Map(), modules: [] };
const folded = new Set();

function startFolding() {
  for (const group of drawing.querySelectorAll("g.node")) {
    parts.nodes.set(group.querySelector("title").textContent, { group, ...boxOf(group) });
  }
  for (const group of drawing.querySelectorAll("g.edge")) parts.edges.set(group, readEdge(group));
  for (const group of drawing.querySelectorAll("g.cluster")) parts.modules.push(readModule(group));
  // Browsers would show the titles of groups, such as `t0->op0`, as tooltips.
  for (const title of drawing.querySelectorAll("g > title")) title.remove();
  const begins = stage.dataset.folded.split(" ");
  for (const module of parts.modules) if (begins.includes(module.group.id)) folded.add(module);
  arrange();
}

function boxOf(group) {
  const { x, y, width, height } = group.getBBox();
  return { left: x, right: x + width, top: y, bottom: y + height };
}

/** An edge, with a broad invisible line that is easy to click. */
function readEdge(group) {
  const ends = group.querySelector("title").textContent.split("->");
  const line = group.querySelector("path");
  group.append(shape("path", { class: "reach", d: line.getAttribute("d") }));
  const lines = [...group.querySelectorAll("path")].map((path) => ({ path, d: path.getAttribute("d") }));
  const decorations = [...group.querySelectorAll("polygon, text")].map((part) => ({ part, ...boxOf(part) }));
  for (const part of group.querySelectorAll("path:not(.reach), polygon, text")) {
    const color = part.getAttribute("stroke") ?? part.getAttribute("fill");
    part.classList.toggle("back", !FORWARD.includes(color?.toLowerCase()));
  }
  return { group, ends, lines, decorations };
}

/** A module's frame, and the box that replaces it when it is folded. */
function readModule(group) {
  const box = boxOf(group);
  const frame = group.querySelector("path, polygon");
  const inside = [...parts.nodes].filter(([, node]) => contains(box, node)).map(([id]) => id);
  const text = group.querySelector("text")?.textContent ?? "";
  group.append(shape("text", { class: "opener", x: box.right - 12, y: box.top + 18 }, "▾"));
  const count = inside.filter((id) => ops.has(id)).length;
  const cover = shape("rect", { class: "module-box", x: box.left, width: box.right - box.left, rx: 8 });
  const label = shape("text", { class: "module-title", x: box.left + 10 }, `▸ ${text}`);
  const size = shape("text", { class: "module-size", x: box.right - 10 }, count === 1 ? "1 op" : `${count} ops`);
  const closed = shape("g", { class: "folded", id: `folded-${parts.modules.length}` }, cover, label, size);
  const [d, points] = [frame.getAttribute("d"), frame.getAttribute("points")];
  return { group, closed, frame, d, points, inside, ...box, text };
}

function contains(outer, inner) {
  const [x, y] = [(inner.left + inner.right) / 2, (inner.top + inner.bottom) / 2];
  return outer.left <= x && x <= outer.right && outer.top <= y && y <= outer.bottom;
}

function toggle(module) {
  if (!folded.delete(module)) folded.add(module);
  arrange();
}

function foldAll() {
  const open = parts.modules.filter((module) => !folded.has(module));
  folded.clear();
  if (open.length) parts.modules.forEach((module) => folded.add(module));
  arrange();
}

/** The folded module that hides a node, the outermost where they are nested; undefined for a visible node. */
function hiddenBy(id) {
  return outermost().find((module) => module.inside.includes(id));
}

function outermost() {
  return [...folded].filter((module) => ![...folded].some((other) => other !== module && contains(other, module)));
}

/** Place everything for the modules that are folded now. */
function arrange() {
  const closed = outermost();
  const hidden = new Map(closed.flatMap((module) => module.inside.map((id) => [id, module])));
  const isHidden = (module) => closed.some((other) => other === module || contains(other, module));
  const visible = parts.modules.filter((module) => !isHidden(module));
  const move = heights(closed, visible, hidden);
  for (const [id, node] of parts.nodes) placeNode(node, hidden.has(id), move);
  for (const edge of parts.edges.values()) placeEdge(edge, hidden, move);
  for (const module of parts.modules) placeModule(module, closed.includes(module), visible.includes(module), move);
  find("fold-all").textContent = folded.size < parts.modules.length ? "Fold all" : "Unfold all";
  find("fold-all").hidden = parts.modules.length === 0;
}

/** The map from heights as laid out to heights now: it increases, but is constant where folding left nothing to see. */
function heights(closed, visible, hidden) {
  const nodes = [...parts.nodes].filter(([id]) => !hidden.has(id)).map(([, node]) => node);
  const drawn = [...parts.edges.values()].filter(({ ends }) => !ends.some((id) => hidden.has(id)));
  const labels = drawn.flatMap((edge) => edge.decorations);
  // Of a folded module the top and the bottom are kept: edges into it end between them, in its middle.
  const tops = [...closed, ...visible].map(({ top }) => ({ top, bottom: top + HALF }));
  const feet = [...closed, ...visible].map(({ bottom }) => ({ top: bottom - HALF, bottom }));
  const kept = [...nodes, ...labels, ...tops, ...feet];
  const knots = [...closed, ...kept].flatMap(({ top, bottom }) => [top, bottom]).sort((a, b) => a - b);
  const covers = (from, to) => (box) => box.top <= from && to <= box.bottom;
  let lost = 0;
  const losses = knots.map((knot, k) => {
    const from = knots[k - 1] ?? knot;
    if (closed.some(covers(from, knot)) && !kept.some(covers(from, knot))) lost += knot - from;
    return lost;
  });
  return (y) => y - interpolate(knots, losses, y);
}

/** Piecewise linear through the knots, constant beyond them. */
function interpolate(knots, values, y) {
  let [low, high] = [0, knots.length - 1];
  if (high < 0 || y <= knots[0]) return 0;
  if (y >= knots[high]) return values[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle] <= y) low = middle;
    else high = middle;
  }
  return values[low] + ((values[high] - values[low]) * (y - knots[low])) / (knots[high] - knots[low]);
}

function placeNode(node, isHidden, move) {
  node.group.classList.toggle("hidden", isHidden);
  shift(node.group, node, move);
}

function shift(group, { top, bottom }, move) {
  const middle = (top + bottom) / 2;
  group.setAttribute("transform", `translate(0 ${move(middle) - middle})`);
}

/** An edge within a folded module is hidden; of an edge that leads into it, what lies under the box. */
function placeEdge(edge, hidden, move) {
  const [from, to] = edge.ends.map((id) => hidden.get(id));
  edge.group.classList.toggle("hidden", from !== undefined && from === to);
  const opIsHidden = edge.ends.some((id) => ops.has(id) && hidden.has(id));
  for (const { path, d } of edge.lines) path.setAttribute("d", movePath(d, move));
  for (const decoration of edge.decorations) {
    const { part } = decoration;
    const isBeneath = [from, to].some((module) => module && contains(module, decoration));
    part.classList.toggle("hidden", isBeneath || (opIsHidden && part.tagName === "text"));
    shift(part, decoration, move);
  }
}

/** The same path with other heights: every second number of absolute M, C and L commands is a y. */
function movePath(d, move) {
  let isX = false;
  return d.replaceAll(/-?[\d.]+(?:e-?\d+)?/g, (text) => {
    isX = !isX;
    return isX ? text : move(Number(text));
  });
}

function placeModule(module, isClosed, isVisible, move) {
  module.group.classList.toggle("hidden", !isVisible);
  for (const name of ["d", "points"]) if (module[name]) module.frame.setAttribute(name, movePath(module[name], move));
  for (const text of module.group.querySelectorAll("text")) shift(text, { top: module.top, bottom: module.top }, move);
  if (!isClosed) return module.closed.remove();
  const [top, bottom] = [move(module.top), move(module.bottom)];
  const [cover, ...texts] = module.closed.children;
  cover.setAttribute("y", top);
  cover.setAttribute("height", bottom - top);
  for (const text of texts) text.setAttribute("y", (top + bottom) / 2 + 4);
  module.group.parentNode.append(module.closed);
}
