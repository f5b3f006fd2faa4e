// The layouts: the parts of a drawing as data, each with its box. A part becomes elements when it comes into view.

/** The layout that is shown, and its parts: nodes and edges by id, frames in order, all of them in drawing order. */
let layout = null;
let parts = null;

/** The parts of a layout. */
function partsIn(layout) {
  const parts = { nodes: new Map(), edges: new Map(), frames: [], all: [] };
  for (const record of layout.parts) {
    const [left, top, right, bottom] = record.box;
    const [x, y] = record.at ?? [0, 0];
    const kind = record.class.split(" ")[0];
    const part = { ...record, kind, x, y, left, top, right, bottom, marks: new Set(), group: null, isHidden: false };
    part.placed = part;
    parts.all.push(part);
    if (kind === "cluster") parts.frames.push(part);
    else parts[kind === "edge" ? "edges" : "nodes"].set(part.id, part);
  }
  return parts;
}

/** The elements of a shape. */
function elementOf([style, geometry, text, inner = []]) {
  const [tag, shared] = layout.styles[style];
  return shape(tag, { ...shared, ...geometry }, text, inner.map(elementOf));
}

/** The group of a part, made at first use; `dress` completes a new one. */
function groupOf(part, dress) {
  if (part.group) return part.group;
  part.group = shape("g", { id: part.id, class: part.class }, part.tip ? shape("title", {}, part.tip) : "");
  part.group.append(...part.shapes.map(elementOf));
  dress(part);
  return part.group;
}

/** Mark a part, or take the mark away: a class that it keeps while it is out of view. */
function mark(part, name, isMarked) {
  if (isMarked) part.marks.add(name);
  else part.marks.delete(name);
  part.group?.classList.toggle(name, isMarked);
}

/** Mark these parts and no others. */
const marked = new Map();

function markOnly(name, chosen) {
  for (const part of marked.get(name) ?? []) mark(part, name, false);
  for (const part of chosen) mark(part, name, true);
  marked.set(name, chosen);
  if (layers.far.firstChild) showParts(); // from afar only marked parts are drawn
}

/** Whether the middle of one box lies in another. */
function contains(outer, inner) {
  const [x, y] = [(inner.left + inner.right) / 2, (inner.top + inner.bottom) / 2];
  return outer.left <= x && x <= outer.right && outer.top <= y && y <= outer.bottom;
}

/** The box around boxes. */
function around(boxes) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { left, top, right, bottom } of boxes) {
    box.left = Math.min(box.left, left);
    box.top = Math.min(box.top, top);
    box.right = Math.max(box.right, right);
    box.bottom = Math.max(box.bottom, bottom);
  }
  return box;
}
