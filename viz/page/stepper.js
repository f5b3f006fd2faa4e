// Shows one step: highlights its parts in the drawing; story.js describes it, table.js lists the gradients.

let position = 0;

/** By id of each part of the drawing: the step at which it runs, and the step at which its gradient arrives. */
const runsAt = new Map();
const returnsAt = new Map();

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
  find("gradients").replaceChildren(...gradientTable(arrived, step.edge?.tensor));
  // Don't scroll away from open details.
  if (find("details").hidden) find("gradients").querySelector(".current")?.scrollIntoView({ block: "nearest" });
}

/** Later parts are pale, current ones are highlighted, and the path of the gradient so far is bold. */
function highlight(step) {
  const isForward = step.phase === "forward" || step.phase === "failed";
  for (const group of drawing.querySelectorAll(".node, .edge")) {
    group.classList.toggle("later", isForward && (runsAt.get(group.id) ?? -1) > position);
    const returns = returnsAt.get(group.id) ?? Infinity;
    group.classList.toggle("visited", !isForward && returns <= position);
    group.classList.toggle("due", step.phase !== "start" && returns > position);
  }
  for (const group of drawing.querySelectorAll(".now")) group.classList.remove("now");
  const now = current(step).map(placeOf).filter(Boolean);
  for (const group of now) group.classList.add("now");
  if (now.length) reveal(now[0]);
}

/** The current parts of a step, the main one first. */
function current({ phase, op, edge }) {
  if (phase === "seed") return outputs;
  if (op) return [op.id, op.output];
  return edge ? [edge.id, edge.tensor] : [];
}

/** The element that shows a part of the graph: its own, the folded module it is in, or the edge that replaces it. */
function placeOf(id) {
  const group = drawing.querySelector(`[id="${id}"]`);
  if (!group) return placeBehind(id);
  const edge = parts.edges.find((candidate) => candidate.group === group);
  const hidden = edge ? group.classList.contains("hidden") && hiddenBy(edge.ends[0]) : hiddenBy(id);
  return hidden ? hidden.closed : group;
}

/** View ops aren't drawn: the edge behind them stands for them. */
function placeBehind(id) {
  const output = tensors.has(id) ? id : ops.get(edges.get(id)?.op ?? id)?.output;
  const next = users.get(output)?.[0];
  return next && placeOf(next.id);
}
