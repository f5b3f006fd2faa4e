// Shows one step: highlights its parts in the drawing; story.js describes it, table.js lists the gradients.

let position = 0;

/** By id of each part of the graph: the step at which it runs, and the step at which its gradient arrives. */
const runsAt = new Map();
const returnsAt = new Map();

/** By step: the parts of the drawing whose look changes there. */
const changesAt = new Map();

/** How the drawing looks now: the step, and the pass that it is of. */
const shown = { position: -1, mode: "start" };

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
  timeParts();
  find("slider").max = steps.length - 1;
  // A computation that failed is looked at for its error.
  show(steps.at(-1).phase === "failed" ? steps.length - 1 : 0);
}

/** When the parts of the layout change: a box when the first of its ops runs, and when its last gradient arrives. */
function timeParts() {
  changesAt.clear();
  shown.position = -1;
  for (const part of [...parts.nodes.values(), ...parts.edges.values()]) {
    Object.assign(part, { runs: runsAt.get(part.id), returns: returnsAt.get(part.id) });
  }
  for (const { id } of [...graph.tensors, ...graph.ops]) timeBox(partOf(id), id);
  const bundles = new Map([...parts.edges.values()].map((edge) => [edge.ends.join(), edge]));
  const bundle = (from, to) => bundles.get([partOf(from)?.id, partOf(to)?.id].join());
  for (const { id, tensor, op } of graph.edges) if (!parts.edges.has(id)) timeBox(bundle(tensor, op), id);
  for (const { id, output } of graph.ops) {
    if (output && !parts.edges.has(`edge-${id}-out`)) timeBox(bundle(id, output), `edge-${id}-out`);
  }
  for (const part of [...parts.nodes.values(), ...parts.edges.values()]) {
    for (const k of [part.runs, part.returns]) {
      if (k !== undefined) changesAt.set(k, [...(changesAt.get(k) ?? []), part]);
    }
  }
}

/** Let a part that stands for others change with them. */
function timeBox(part, id) {
  if (!part || part.id === id) return;
  const [runs, returns] = [runsAt.get(id) ?? Infinity, returnsAt.get(id) ?? -Infinity];
  part.runs = Math.min(part.runs ?? Infinity, runs);
  part.returns = Math.max(part.returns ?? -Infinity, returns);
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
  find("slider").setAttribute("aria-valuetext", `step ${position} of ${steps.length - 1}`);
  find("count").textContent = `${position} / ${steps.length - 1}`;
  document.body.dataset.step = position;
  document.body.dataset.phase = step.phase;
  noteStep();
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
  Object.assign(shown, { position, mode });
  for (const part of changed(from)) light(part);
  const now = current(step).map(placeOf).filter(Boolean);
  markOnly("now", now);
  if (now.length) moveAsPlaced(() => reveal(now[0]));
}

/** The parts whose look differs between two steps of one pass; where it was another pass, all that are drawn. */
function changed(from) {
  if (from < 0) return present;
  const [first, last] = [Math.min(from, position), Math.max(from, position)];
  const found = [];
  for (let k = first + 1; k <= last; k++) found.push(...(changesAt.get(k) ?? []));
  return found;
}

/** How a node or an edge looks at this step; one that isn't drawn will look so when it is. */
function light({ kind, group, runs, returns = Infinity }) {
  if (!group || (kind !== "node" && kind !== "edge")) return;
  const isForward = shown.mode === "forward" || shown.mode === "failed";
  group.classList.toggle("later", isForward && (runs ?? -1) > position);
  group.classList.toggle("visited", shown.mode === "backward" && returns <= position);
  group.classList.toggle("due", shown.mode !== "start" && returns > position);
}

/** The current parts of a step, the main one first. */
function current({ phase, op, edge }) {
  if (phase === "seed") return outputs;
  if (op) return [op.id, op.output];
  return edge ? [edge.id, edge.tensor] : [];
}

/** The part that shows a part of the graph; the lid of the folded module that it is in. */
function placeOf(id) {
  const part = partOf(id);
  const hidden = part && (part.kind === "edge" ? part.isHidden && hiddenBy(part.ends[0]) : hiddenBy(part.id));
  return hidden ? hidden.lid : part;
}

/**
 * The part of the layout that shows a part of the graph. What isn't drawn by itself is in the box of its op. View ops
 * aren't drawn: the edge behind them stands for them.
 */
function partOf(id) {
  const part = parts.nodes.get(id) ?? parts.edges.get(id);
  if (part) return part;
  const op = edges.get(id)?.op ?? makers.get(id)?.id ?? (ops.has(id) ? id : users.get(id)?.[0]?.op);
  if (op !== id) return op && partOf(op);
  if (boxOf.has(op)) return parts.nodes.get(boxOf.get(op));
  const next = users.get(ops.get(op).output)?.[0];
  return next && partOf(next.id);
}
