// The steps of the pass, and what is known after each of them.

/** First each op as it ran; then the gradient: 1 at the loss, and back edge by edge, in the order the engine takes. */
function allSteps() {
  const steps = [{ phase: "start" }, ...graph.ops.map((op) => ({ phase: op.error ? "failed" : "forward", op }))];
  const back = backwardEdges();
  if (back.length === 0) return steps;
  return [...steps, { phase: "seed" }, ...back.map((edge) => ({ phase: "backward", edge })), { phase: "end" }];
}

/** The edges along which a gradient comes back from the output: youngest op first, of each op its inputs in order. */
function backwardEdges() {
  const known = graph.edges.some((edge) => edge.contribution);
  const reached = new Set([graph.output]);
  const walked = [];
  for (const op of [...graph.ops].reverse()) {
    if (!reached.has(op.output)) continue;
    for (const edge of inputs.get(op.id)) {
      if (!edge.carries_gradient || (known && !edge.contribution)) continue;
      walked.push(edge);
      reached.add(edge.tensor);
    }
  }
  return walked;
}

const steps = allSteps();
const expected = new Map();
for (const { edge } of steps.filter((step) => step.phase === "backward")) {
  expected.set(edge.tensor, (expected.get(edge.tensor) ?? 0) + 1);
}

/** The gradients that have arrived after the first `count` steps, by id of the tensor. */
function gradientsAfter(count) {
  const arrived = new Map();
  for (const step of steps.slice(0, count)) {
    if (step.phase === "seed") arrived.set(graph.output, seed());
    if (step.phase === "backward") arrived.set(step.edge.tensor, arrive(arrived.get(step.edge.tensor), step.edge));
  }
  return arrived;
}

/** ∂L/∂L. */
function seed() {
  const output = tensors.get(graph.output);
  return { parts: 1, value: (output.shape ?? []).length ? undefined : 1, meanAbs: 1 };
}

/** What a tensor has when one more contribution has come: the sum, as far as the records can tell it. */
function arrive(before, edge) {
  const tensor = tensors.get(edge.tensor);
  const parts = (before?.parts ?? 0) + 1;
  const part = edge.contribution;
  if (!part) return { parts };
  const come = { value: part.value, values: part.details?.values, meanAbs: part.mean_abs };
  if (!before) return { parts, ...come };
  // The engine adds in the precision of the tensor.
  const plus = tensor.dtype === "float32" ? (a, b) => Math.fround(a + b) : (a, b) => a + b;
  const value = before.value === undefined ? undefined : plus(before.value, come.value);
  const few = before.values?.length && come.values?.length;
  const values = few ? before.values.map((v, k) => plus(v, come.values[k])) : undefined;
  return { parts, value, values, meanAbs: meanOfSum(tensor, parts, values ?? (value === undefined ? [] : [value])) };
}

/** Mean |·| of a sum: of its values; of large arrays the records know it only once everything has arrived. */
function meanOfSum(tensor, parts, values) {
  if (values.length) return values.reduce((sum, v) => sum + Math.abs(v), 0) / values.length;
  return parts === expected.get(tensor.id) ? tensor.gradient?.mean_abs : undefined;
}
