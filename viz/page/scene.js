// What the document holds of the drawing: all parts of a small one, of a large one those near the view.

/** The most parts that are drawn with all they say; of more in view, only the boxes. */
const MOST = 600;
const FORWARD = ["#616161", "#b5b5b5"]; // the colours of lanes that carry data, not gradients

/** Layers from the bottom up, the parts in each of them in the order of the layout. */
const pile = ["cluster", "edge", "node", "lid"];
const layers = Object.fromEntries(["still", ...pile, "far"].map((name) => [name, shape("g", { id: `${name}-layer` })]));
const present = new Set();

function startScene() {
  world.setAttribute("class", "graph");
  world.append(...Object.values(layers));
  view.extent = () => around([...drawnParts().map(({ placed }) => placed), ...legendBoxes()]);
  view.beginning = () => middleOf(topmostOp() ?? view.extent());
  view.moved = showParts;
  startFolding();
}

/** The place of the op or box that is drawn highest: a branch that is shorter than the others begins below. */
function topmostOp() {
  const places = graph.ops.map(({ id }) => placeOf(id)?.placed).filter(Boolean);
  return places.length ? places.reduce((best, place) => (place.top < best.top ? place : best)) : null;
}

/** Take everything out of the document that belongs to a layout. */
function clearScene() {
  for (const part of present) part.group.remove();
  present.clear();
  layers.still.replaceChildren();
  layers.far.replaceChildren();
}

function drawnParts() {
  return [...parts.all, ...modules.map(({ lid }) => lid)].filter((part) => !part.isHidden);
}

/** The legend is above the parts: it is measured when all is fitted. */
function legendBoxes() {
  const { x, y, width, height } = layers.still.getBBox();
  if (!width) return [];
  return [{ left: x, top: y, right: x + width, bottom: y + height }];
}

/** Bring the document up to date: what came into view is made, what left it is removed, what moved is moved. */
function showParts() {
  const drawn = drawnParts();
  const near = drawn.length <= MOST ? drawn : drawn.filter(isNear);
  const isFar = near.length > MOST;
  const wanted = new Set(isFar ? near.filter(({ marks }) => marks.has("now") || marks.has("chosen")) : near);
  layers.far.replaceChildren(...(isFar ? outlines(near) : []));
  const isHeld = (part) => !part.isHidden && part.group.contains(document.activeElement);
  for (const part of present) if (!wanted.has(part) && !isHeld(part)) remove(part);
  const next = Object.fromEntries(pile.map((kind) => [kind, layers[kind].firstChild]));
  for (const part of wanted) {
    const group = groupOf(part, dress);
    if (part.number !== folding.number) settle(part);
    if (group === next[part.kind]) next[part.kind] = group.nextSibling;
    else layers[part.kind].insertBefore(group, next[part.kind]);
    present.add(part);
  }
}

function remove(part) {
  part.group.remove();
  present.delete(part);
}

/** Whether a part is in view, or less than a screen away. */
function isNear({ placed }) {
  const { width, height } = view.frame;
  const [x, y, size] = [view.x, view.y, view.scale];
  const across = placed.right * size + x > -width / 2 && placed.left * size + x < width * 1.5;
  return across && placed.bottom * size + y > -height && placed.top * size + y < height * 2;
}

/** Boxes alone, one path for each kind of part: from afar nothing could be read. */
function outlines(near) {
  const paths = new Map();
  for (const { class: kind, placed } of near) {
    const { left, right, top, bottom } = placed;
    if (!kind.startsWith("edge")) paths.set(kind, `${paths.get(kind) ?? ""}M${left},${top}H${right}V${bottom}H${left}Z`);
  }
  return [...paths].map(([kind, d]) => shape("path", { class: `outline ${kind}`, d }));
}

// ------------------------------------------------------------------------------------------------------------ one part

/** Complete a new group: what its kind needs, its marks, and how it looks at this step. */
function dress(part) {
  DRESSES[part.kind](part);
  for (const name of part.marks) part.group.classList.add(name);
  light(part);
}

const DRESSES = {
  node({ group, id }) {
    if (layout.boxes?.[id]) giveRole(group, "module", { "aria-expanded": false });
    else giveRole(group, ops.has(id) ? "op" : NOUNS[tensors.get(id)?.kind]);
  },
  edge({ group, id }) {
    for (const drawn of group.children) {
      const color = drawn.getAttribute("stroke") ?? drawn.getAttribute("fill");
      drawn.classList.toggle("back", !FORWARD.includes(color?.toLowerCase()));
    }
    // A broad invisible line is easy to click.
    group.append(shape("path", { class: "reach", d: group.querySelector("path").getAttribute("d") }));
    nameEdge(group, id);
  },
  cluster({ group, right, top, x, y }) {
    group.append(shape("text", { class: "opener", "aria-hidden": true, x: right - x - 12, y: top - y + 18 }, "▾"));
    giveRole(group, "module", { "aria-expanded": true });
  },
  lid: ({ group }) => giveRole(group, "module", { "aria-expanded": false }),
};

/** Move a group to where folding has put its part. */
function settle(part) {
  part.number = folding.number;
  SETTLE[part.kind](part);
}

const SETTLE = {
  node: ({ group, x, y, top, placed }) => put(group, x, y + placed.top - top),
  edge: settleEdge,
  cluster: settleFrame,
  lid: placeLid,
};

/** Of an edge that leads into a folded module, what lies under the lid is hidden. */
function settleEdge({ group, ends, shapes, labels, x, y }) {
  put(group, x, y);
  const lids = ends.map((id) => folding.hidden.get(id)).filter(Boolean);
  const opIsHidden = ends.some((id) => ops.has(id) && folding.hidden.has(id));
  const drawn = [...group.children];
  const lines = drawn.filter((child) => child.tagName === "path");
  const others = drawn.filter((child) => child.tagName !== "path");
  const paths = shapes.map(([, { d }]) => d).filter(Boolean);
  lines.forEach((line, k) => line.setAttribute("d", movePath(paths[k % paths.length], y)));
  others.forEach((other, k) => {
    const [left, top, right, bottom] = labels[k];
    const isBeneath = lids.some((module) => contains(module, { left, top, right, bottom }));
    other.classList.toggle("hidden", isBeneath || (opIsHidden && other.tagName === "text"));
    put(other, 0, folding.move((top + bottom) / 2) - (top + bottom) / 2);
  });
}

function settleFrame({ group, shapes, x, y, top }) {
  put(group, x, y);
  [...group.children].filter((child) => child.tagName !== "title").forEach((child, k) => {
    const [, { d, points }] = shapes[k] ?? [0, {}];
    if (d) child.setAttribute("d", movePath(d, y));
    else if (points) child.setAttribute("points", movePath(points, y));
    else put(child, 0, folding.move(top) - top);
  });
}

function put(element, x, y) {
  element.setAttribute("transform", move(x, y).transform);
}

function move(x, y) {
  return { transform: `translate(${x} ${y})` };
}

/** The same path with other heights: every second number of absolute M, C and L commands is a y. */
function movePath(d, sheet) {
  if (folding.isFlat) return d;
  let isX = false;
  return d.replaceAll(/-?[\d.]+(?:e-?\d+)?/g, (text) => {
    isX = !isX;
    return isX ? text : folding.move(Number(text) + sheet) - sheet;
  });
}

/** Move a part into the view; nothing moves if it is visible already. */
function reveal({ placed }) {
  const { width, height } = view.frame;
  const across = [placed.left, placed.right].map((place) => place * view.scale + view.x);
  const down = [placed.top, placed.bottom].map((place) => place * view.scale + view.y);
  const [x, y] = [shiftInto(...across, width), shiftInto(...down, height)];
  if (!x && !y) return;
  view.x += x;
  view.y += y;
  showView();
}

/** Move a part that may be larger than the view so that it begins at the top. */
function revealTop({ placed }) {
  view.x = view.frame.width / 2 - middleOf(placed) * view.scale;
  view.y = MARGIN - placed.top * view.scale;
  showView();
}

function shiftInto(low, high, size) {
  const margin = Math.min(60, size / 6);
  const fits = low >= margin && high <= size - margin;
  return fits ? 0 : (size - low - high) / 2;
}
