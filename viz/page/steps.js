// The steps of the forward and the backward pass, and the gradients after each of them.

/** First each op in the order it ran; then the backward pass, edge by edge, in the order of the engine. */
function allSteps() {
  const steps = [{ phase: "start" }, ...graph.ops.map((op) => ({ phase: op.error ? "failed" : "forward", op }))];
  const back = backwardEdges();
  if (back.length === 0) return steps;
  return [...steps, { phase: "seed" }, ...back.map((edge) => ({ phase: "backward", edge })), { phase: "end" }];
}

/** The edges that carry a gradient back from the outputs: the newest op first, of each op its inputs in order. */
function backwardEdges() {
  const known = graph.edges.some((edge) => edge.contribution);
  const reached = new Set(outputs);
  const visited = [];
  for (const op of [...graph.ops].reverse()) {
    if (!reached.has(op.output)) continue;
    for (const edge of inputs.get(op.id)) {
      if (!edge.carries_gradient || (known && !edge.contribution)) continue;
      visited.push(edge);
      reached.add(edge.tensor);
    }
  }
  return visited;
}

const steps = allSteps();
const expected = new Map();
for (const { edge } of steps.filter((step) => step.phase === "backward")) {
  expected.set(edge.tensor, (expected.get(edge.tensor) ?? 0) + 1);
}

/** The gradients that have arrived, by id of the tensor, and the number of steps that they are of. */
const arrived = new Map();
let counted = 0;

/** By step: what it changes, as the tensor's id, its gradient before and its gradient after. Known once it was passed. */
const arrivals = [];

/** The gradients after the first `count` steps: `arrived`, brought there step by step. */
function gradientsAfter(count) {
  while (counted < count) {
    for (const { id, after } of arrivalsAt(counted)) arrived.set(id, after);
    counted++;
  }
  while (counted > count) {
    counted--;
    for (const { id, before } of arrivalsAt(counted)) {
      if (before) arrived.set(id, before);
      else arrived.delete(id);
    }
  }
  return arrived;
}

/** What arrives at a step; at first use, `arrived` must be that of the steps before it. */
function arrivalsAt(k) {
  const { phase, edge } = steps[k];
  if (phase === "seed") arrivals[k] ??= outputs.map((id) => ({ id, after: seed(tensors.get(id)) }));
  if (phase === "backward") arrivals[k] ??= [arrivalAlong(edge)];
  return arrivals[k] ?? [];
}

function arrivalAlong(edge) {
  const before = arrived.get(edge.tensor);
  return { id: edge.tensor, before, after: arrive(before, edge) };
}

/** The gradient that backward starts with at an output: the engine's, else 1. */
function seed({ shape = [], gradient }) {
  if (!gradient) return { parts: 0, value: shape.length ? undefined : 1, meanAbs: 1 };
  return { parts: 0, value: gradient.value, values: gradient.details?.values, meanAbs: gradient.mean_abs };
}

/** The gradient of a tensor after one more contribution: the sum, as far as the records hold the numbers. */
function arrive(before, edge) {
  const tensor = tensors.get(edge.tensor);
  const parts = (before?.parts ?? 0) + 1;
  const part = edge.contribution;
  // Its gradient was there from the start.
  if (tensor.kind === "output") return { ...before, parts };
  if (isGiven(tensor) && parts === expected.get(tensor.id)) return { ...seed(tensor), parts };
  if (!part) return { parts };
  const next = { value: part.value, values: part.details?.values, meanAbs: part.mean_abs };
  if (!before) return { parts, ...next };
  // The engine adds in the precision of the tensor.
  const plus = tensor.dtype === "float32" ? (a, b) => Math.fround(a + b) : (a, b) => a + b;
  const value = before.value === undefined ? undefined : plus(before.value, next.value);
  const few = before.values?.length && next.values?.length;
  const values = few ? before.values.map((v, k) => plus(v, next.values[k])) : undefined;
  return { parts, value, values, meanAbs: meanOfSum(tensor, parts, values ?? (value === undefined ? [] : [value])) };
}

/** Whether the gradient isn't the sum of the contributions in this order: several passes, hooks, ops not drawn. */
function isGiven({ altered, gradient }) {
  return Boolean(gradient) && (Boolean(altered) || outputs.length > 1);
}

/** Mean |·| of a sum: from its values; for large arrays the records hold only that of the complete sum. */
function meanOfSum(tensor, parts, values) {
  if (values.length) return values.reduce((sum, v) => sum + Math.abs(v), 0) / values.length;
  return parts === expected.get(tensor.id) ? tensor.gradient?.mean_abs : undefined;
}
