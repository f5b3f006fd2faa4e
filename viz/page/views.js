// The views of the graph: every part or one box for each op, modules open or folded. Each is a layout of its own.

const shownView = { compact: false, folded: false };

/** The layouts that were shown so far, by name. */
const layouts = new Map();

/** By id of an op in a folded module, the id of the box that it is in. */
let boxOf = new Map();

function nameOf({ compact, folded }) {
  return ["layout", ...(compact ? ["compact"] : []), ...(folded ? ["folded"] : [])].join("-");
}

function hasView(view) {
  return find(nameOf(view)) !== null;
}

/** Show the layout of a view. What was shown, folded or marked in it before is as it was. */
function useView(view) {
  const name = nameOf(view);
  if (!layouts.has(name)) {
    const read = dataOf(name, null);
    layouts.set(name, { layout: read, parts: partsIn(read), modules: null, folded: new Set() });
  }
  const kept = layouts.get(name);
  ({ layout, parts, folded } = kept);
  boxOf = new Map(Object.entries(layout.boxes ?? {}).flatMap(([box, ops]) => ops.map((op) => [op, box])));
  kept.modules ??= readModules();
  modules = kept.modules;
  Object.assign(shownView, view);
  document.body.dataset.view = name.replace(/^layout-?/, "");
  find("compact").setAttribute("aria-pressed", view.compact);
  find("compact").hidden = !hasView({ ...view, compact: !view.compact }) && !otherView(view);
}

/** The view with the other amount of detail; folded where there is no other. */
function otherView({ compact, folded }) {
  const views = [{ compact: !compact, folded }, { compact: !compact, folded: true }];
  return views.find(hasView);
}

/** Go to another view: at its beginning, or where the step is that is shown. */
function openView(view) {
  const focused = drawing.contains(document.activeElement) ? focusedOp() : null;
  for (const name of ["now", "chosen", "found"]) markOnly(name, []);
  clearScene();
  useView(view);
  startFolding();
  layRoute();
  timeParts();
  showBeginning();
  show(position);
  remark();
  if (focused) focusPart(focused);
}

/** The part of the graph that has the focus; of a module, an op in it. */
function focusedOp() {
  const id = route[reached];
  const inside = layout.boxes?.[id] ?? [...(modulesById.get(id)?.inside ?? [])];
  return inside.find((part) => ops.has(part)) ?? id;
}

/** Mark again what is searched for, and what the details are of. */
function remark() {
  markOnly("found", matches.map(({ id }) => placeOf(id)).filter(Boolean));
  const id = find("details").dataset.of;
  if (id) markOnly("chosen", [placeOf(id)].filter(Boolean));
}

function toggleCompact() {
  const view = otherView(shownView);
  if (view) openView(view);
}

/** Open the module of a box, where it is in the layout with all modules open; the box has the id of its first call. */
function openBox(id) {
  const inside = layout.boxes[id];
  openView({ ...shownView, folded: false });
  focusPart(modulesById.has(id) ? id : inside[0]);
  revealTop(modulesById.get(id)?.frames[0] ?? placeOf(inside[0]));
}
