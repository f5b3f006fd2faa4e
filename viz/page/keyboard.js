// The drawing by keyboard and for screen readers: one stop of the tab key, from which ↑ and ↓ go from part to part.

const NOUNS = { parameter: "parameter", constant: "input or constant", interior: "tensor", output: "output" };

/** The ids of all parts that can be chosen, in the order of the computation; and the place of each in this order. */
const route = [];
const placeOnRoute = new Map();
let reached = -1;

let modulesById = new Map();

function startKeyboard() {
  layRoute();
  stage.addEventListener("focusin", (event) => {
    const group = event.target.closest?.("g[role]");
    const part = group && [...present].find((part) => part.group === group);
    if (part) reached = placeOnRoute.get(part.module?.id ?? part.id) ?? reached;
  });
}

/** Of each op its inputs with their edges, then itself, then its output; each module before the first of its parts. */
function layRoute() {
  route.length = 0;
  placeOnRoute.clear();
  reached = -1;
  modulesById = new Map(modules.map((module) => [module.id, module]));
  const nested = [...modules].sort((a, b) => b.inside.size - a.inside.size);
  const around = new Map();
  for (const { id: module, inside } of nested) for (const id of inside) around.set(id, [...(around.get(id) ?? []), module]);
  const visit = (id) => {
    if (placeOnRoute.has(id)) return;
    placeOnRoute.set(id, route.length);
    route.push(id);
  };
  const visitAll = (ids) => ids.forEach((id) => [...(around.get(id) ?? []), id].forEach(visit));
  for (const { id, output } of graph.ops) {
    visitAll(inputs.get(id).flatMap((edge) => [edge.tensor, edge.id]));
    visitAll(output ? [id, output] : [id]);
  }
}

/** A screen reader is told where an edge leads, and the numbers on it as far as they are shown. */
function nameEdge(group, id) {
  const edge = edges.get(id);
  if (!edge) return; // from an op to its own result
  giveRole(group, "edge");
  const texts = [...group.querySelectorAll("text")].map((text) => text.textContent.trim());
  const ends = `${title(tensors.get(edge.tensor))} → ${ops.get(edge.op).symbol}`;
  group.setAttribute("aria-label", [ends, ...texts].join(" "));
}

/** A part can be focused, but isn't a stop of the tab key: there may be thousands. Its text is what is read of it. */
function giveRole(group, noun = "part", more = {}) {
  const attributes = { tabindex: -1, role: "button", "aria-roledescription": noun, ...more };
  for (const [name, value] of Object.entries(attributes)) group.setAttribute(name, value);
}

/** The part of the drawing that shows a part of the route: itself, or the folded module that it is in; or null. */
function shownAt(id) {
  const module = modulesById.get(id);
  if (!module) return placeOf(id) ?? null;
  if (!module.lid.isHidden) return module.lid;
  return modules.find((other) => !other.lid.isHidden && isWithin(module, other))?.lid ?? module.frames[0];
}

function focusPart(id) {
  const part = shownAt(id);
  if (!part) return;
  reveal(part); // which makes its elements
  part.group?.focus({ preventScroll: true });
  reached = placeOnRoute.get(id) ?? reached;
}

/** Go to the next part that is shown, or to the one before; from the drawing as a whole to that of the step. */
function walk(direction) {
  const here = document.activeElement === stage ? null : shownAt(route[reached]);
  if (!here) reached = Math.max(placeOnRoute.get(current(steps[position])[0]) ?? 0, 0) - direction;
  for (let k = reached + direction; k >= 0 && k < route.length; k += direction) {
    const part = shownAt(route[k]);
    if (part && part !== here) return focusPart(route[k]);
  }
}

const WALK = { ArrowDown: 1, ArrowUp: -1 };
const MOVES = { ArrowDown: [0, -60], ArrowUp: [0, 60], ArrowRight: [-60, 0], ArrowLeft: [60, 0] };

/** What a key does while the drawing has the focus; whether it does anything. */
function onStageKey(event) {
  const { key, shiftKey, target } = event;
  if (shiftKey && MOVES[key]) moveView(...MOVES[key]);
  else if (WALK[key]) walk(WALK[key]);
  else if ((key === "Enter" || key === " ") && target.closest("g[role]")) choose(target);
  else return false;
  event.preventDefault();
  return true;
}
