// The modules of the drawing: frames, and the lids that replace them when they are folded.

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
  const id = `folded-${module.index}`;
  module.lid = { id, kind: "lid", class: "folded", module, size, marks: new Set(), group: null, isHidden: true, shapes: [] };
  return module;
}

/** Whether a module lies in another. */
function isWithin(inner, outer) {
  if (inner === outer || !inner.inside.size) return false;
  const [first] = inner.inside;
  return outer.inside.has(first) && (outer.inside.size > inner.inside.size || outer.index < inner.index);
}

/** The lid's box and texts, for the module's present place. */
function placeLid({ group, module, size, placed }) {
  const { left, right, top, bottom } = placed;
  const middle = (top + bottom) / 2 + 4;
  group.replaceChildren(
    shape("rect", { class: "module-box", x: left, y: top, width: right - left, height: bottom - top, rx: 8 }),
    shape("text", { class: "module-title", x: left + 10, y: middle }, `▸ ${module.text}`),
    shape("text", { class: "module-size", x: right - 10, y: middle }, size),
  );
}
