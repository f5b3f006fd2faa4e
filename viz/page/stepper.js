// Shows one step: highlights its parts in the drawing; story.js describes it, table.js lists the gradients.

let position = 0;

/** By id of each part of the drawing: the step at which it runs, and the step at which its gradient arrives. */
const runsAt = new Map();
const returnsAt = new Map();

/** By step: the groups of the drawing whose look changes there. */
const changesAt = new Map();

/** How the drawing looks now: the step, whether it is of the forward pass, and the parts that are highlighted. */
const shown = { position: -1, mode: "", now: [] };

function startStepper() {
  steps.forEach((step, k) => {
    if (step.phase === "seed") for (const id of outputs) returnsAt.set(id, k);
    if (step.op) for (const id of partsOf(step.op)) setOnce(runsAt, id, k);
    if (step.edge) {
      setOnce(returnsAt, `edge-${step.edge.op}-out`, k);
      setOnce(returnsAt, step.edge.id, k);
      if (!outputs.includes(step.edge.tensor)) returnsAt.set(step.edge.tensor, k); // the last of its contributions
    }
  });
  for (const group of drawing.querySelectorAll(".node, .edge")) {
    for (const k of [runsAt.get(group.id), returnsAt.get(group.id)]) {
      if (k !== undefined) changesAt.set(k, [...(changesAt.get(k) ?? []), group]);
    }
  }
  find("slider").max = steps.length - 1;
  show(0);
}

function partsOf(op) {
  const into = inputs.get(op.id);
  return [...into.map((edge) => edge.tensor), ...into.map((edge) => edge.id), op.id, `edge-${op.id}-out`, op.output];
}

function setOnce(map, key, value) {
  if (!map.has(key)) map.set(key, value);
}

/** Go to a step; a number out of range means the first or the last. */
function show(wanted) {
  position = Math.min(Math.max(wanted, 0), steps.length - 1);
  const step = steps[position];
  const arrived = gradientsAfter(position + 1);
  find("slider").value = position;
  find("count").textContent = `${position} / ${steps.length - 1}`;
  document.body.dataset.step = position;
  document.body.dataset.phase = step.phase;
  highlight(step);
  if (step.phase === "failed") showDetails(step.op.id);
  find("story").replaceChildren(...describe(step, arrived));
  showGradients(arrived, step.edge?.tensor);
  // Don't scroll away from open details.
  if (find("details").hidden) find("gradients").querySelector(".current")?.scrollIntoView({ block: "nearest" });
}

/** Later parts are pale, current ones are highlighted, and the path of the gradient so far is bold. */
function highlight(step) {
  const mode = step.phase === "start" || step.phase === "forward" || step.phase === "failed" ? step.phase : "backward";
  const from = shown.mode === mode ? shown.position : -1;
  for (const group of changed(from)) light(group, mode);
  for (const group of shown.now) group.classList.remove("now");
  const now = current(step).map(placeOf).filter(Boolean);
  for (const group of now) group.classList.add("now");
  Object.assign(shown, { position, mode, now });
  if (now.length) reveal(now[0]);
}

/** The groups whose look differs between two steps of one pass; all where it was another pass. */
function changed(from) {
  if (from < 0) return drawing.querySelectorAll(".node, .edge");
  const [first, last] = [Math.min(from, position), Math.max(from, position)];
  const groups = [];
  for (let k = first + 1; k <= last; k++) groups.push(...(changesAt.get(k) ?? []));
  return groups;
}

function light({ id, classList }, mode) {
  const isForward = mode === "forward" || mode === "failed";
  const returns = returnsAt.get(id) ?? Infinity;
  classList.toggle("later", isForward && (runsAt.get(id) ?? -1) > position);
  classList.toggle("visited", mode === "backward" && returns <= position);
  classList.toggle("due", mode !== "start" && returns > position);
}

/** The current parts of a step, the main one first. */
function current({ phase, op, edge }) {
  if (phase === "seed") return outputs;
  if (op) return [op.id, op.output];
  return edge ? [edge.id, edge.tensor] : [];
}

/** The element that shows a part of the graph: its own, the folded module it is in, or the edge that replaces it. */
function placeOf(id) {
  const group = document.getElementById(id);
  if (!group || !drawing.contains(group)) return placeBehind(id);
  const edge = parts.edges.get(group);
  const hidden = edge ? group.classList.contains("hidden") && hiddenBy(edge.ends[0]) : hiddenBy(id);
  return hidden ? hidden.closed : group;
}

/** View ops aren't drawn: the edge behind them stands for them. */
function placeBehind(id) {
  const output = tensors.has(id) ? id : ops.get(edges.get(id)?.op ?? id)?.output;
  const next = users.get(output)?.[0];
  return next && placeOf(next.id);
}
