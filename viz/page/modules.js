// The modules of the drawing: frames, and the lids that replace them when they are folded.

/** The height of a line on a lid, how many problems it names, and by id of each module what it says. */
const LINE = 15;
const MOST_FOUND = 2;
const lids = dataOf("lids", null) ?? {};

/** The modules with the ids of the nodes in them, outer ones first. A frame that several sheets show has parts. */
let modules = [];

function readModules() {
  const bySheet = new Map();
  for (const node of parts.nodes.values()) bySheet.set(node.y, [...(bySheet.get(node.y) ?? []), node]);
  const found = new Map();
  for (const frame of parts.frames) {
    const id = frame.id.split(".")[0];
    const inside = (bySheet.get(frame.y) ?? []).filter((node) => contains(frame, node)).map((node) => node.id);
    if (!found.has(id)) found.set(id, { id, index: found.size, text: textOf(frame), frames: [], inside: new Set() });
    found.get(id).frames.push(frame);
    for (const node of inside) found.get(id).inside.add(node);
    frame.module = found.get(id);
  }
  return [...found.values()].map((module) => completed({ ...module, ...around(module.frames) }));
}

function textOf({ shapes }) {
  return shapes.find(([style]) => layout.styles[style][0] === "text")?.[2] ?? "";
}

function completed(module) {
  for (const frame of module.frames) frame.module = module;
  const count = [...module.inside].filter((id) => ops.has(id)).length;
  const size = count === 1 ? "1 op" : `${count} ops`;
  const lines = linesOf(lids[module.id] ?? { title: module.text, size });
  const id = `folded-${module.index}`;
  module.half = Math.min(lines.length * LINE + 16, module.bottom - module.top) / 2;
  module.lid = { id, kind: "lid", class: "folded", module, lines, marks: new Set(), group: null, isHidden: true, shapes: [] };
  return module;
}

/** What is written on a lid: name and class, size and gradient, what is wrong; runs of text with their classes. */
function linesOf({ title, kind = "", size, gradient = "", found = [] }) {
  const more = found.length > MOST_FOUND ? [`and ${found.length - MOST_FOUND} more`] : [];
  return [
    [["module-title", `▸ ${title}`], ["module-size", kind]],
    [["module-size", size], ["module-gradient", gradient]],
    ...[...found.slice(0, MOST_FOUND), ...more].map((text) => [["module-found", text]]),
  ].map((line) => line.filter(([, text]) => text));
}

/** Whether a module lies in another. */
function isWithin(inner, outer) {
  if (inner === outer || !inner.inside.size) return false;
  const [first] = inner.inside;
  return outer.inside.has(first) && (outer.inside.size > inner.inside.size || outer.index < inner.index);
}

/** The lid's box and texts, for the module's present place: as wide as its texts, and as what leads into it. */
function placeLid({ group, module, lines, placed }) {
  const { left, right, top, bottom } = placed;
  const first = (top + bottom - lines.length * LINE) / 2 + 11;
  const text = (line, k) => {
    const runs = line.map(([kind, words], n) => shape("tspan", { class: kind, dx: n ? 6 : null }, words));
    return shape("text", { x: left + 10, y: first + k * LINE }, runs);
  };
  const marks = lines.flatMap((line, k) => (line[0][0] === "module-found" ? [k] : []));
  const mark = marks.length
    ? shape("rect", { class: "found-box", x: left + 5, y: first + marks[0] * LINE - 11, width: right - left - 10, height: marks.length * LINE })
    : "";
  group.replaceChildren(
    shape("rect", { class: "module-box", x: left, y: top, width: right - left, height: bottom - top, rx: 8 }),
    mark,
    ...lines.map(text),
  );
}

/** From where to where a lid reaches: over all that leads into its module at these heights, and over its texts. */
function spanOf(module) {
  const crossing = [...parts.edges.values()].filter((edge) => crosses(edge, module));
  const hull = around(crossing.flatMap((edge) => pointsIn(edge, module)));
  const middle = hull.left < hull.right ? middleOf(hull) : middleOf(module);
  const half = Math.max(...module.lid.lines.map((line) => line.reduce((sum, [, words]) => sum + 6.5 * words.length, 24))) / 2;
  const shift = Math.max(module.left - middle + half, 0) + Math.min(module.right - middle - half, 0);
  return { left: Math.min(hull.left - 12, middle - half + shift), right: Math.max(hull.right + 12, middle + half + shift) };
}

/** Whether an edge leads into a module, or out of it. */
function crosses({ ends }, { inside }) {
  return inside.has(ends[0]) !== inside.has(ends[1]);
}

/** The points of an edge that lie within the heights of a module, as boxes. */
function pointsIn({ shapes, x, y }, { top, bottom }) {
  const numbers = shapes.flatMap(([, { d }]) => (d ? d.match(/-?[\d.]+(?:e-?\d+)?/g).map(Number) : []));
  const points = [];
  for (let k = 0; k < numbers.length; k += 2) points.push({ x: numbers[k] + x, y: numbers[k + 1] + y });
  return points.filter((point) => point.y >= top && point.y <= bottom).map((point) => ({ left: point.x, right: point.x, top, bottom }));
}
