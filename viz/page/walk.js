// The steps of the pass, and what is known after each of them.

/** First each op as it ran; then the gradient: from the loss back edge by edge, in the order the engine takes. */
function allSteps() {
  const steps = [{ phase: "start" }, ...graph.ops.map((op) => ({ phase: op.error ? "failed" : "forward", op }))];
  const back = backwardEdges();
  if (back.length === 0) return steps;
  return [...steps, { phase: "seed" }, ...back.map((edge) => ({ phase: "backward", edge })), { phase: "end" }];
}

/** The edges along which a gradient comes back from the outputs: youngest op first, of each op its inputs in order. */
function backwardEdges() {
  const known = graph.edges.some((edge) => edge.contribution);
  const reached = new Set(outputs);
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
    if (step.phase === "seed") for (const id of outputs) arrived.set(id, seed(tensors.get(id)));
    if (step.phase === "backward") arrived.set(step.edge.tensor, arrive(arrived.get(step.edge.tensor), step.edge));
  }
  return arrived;
}

/** What an output begins with: what the engine had there, else 1. Of one that others use too, more may come. */
function seed({ shape = [], gradient }) {
  if (!gradient) return { parts: 0, value: shape.length ? undefined : 1, meanAbs: 1 };
  return { parts: 0, value: gradient.value, values: gradient.details?.values, meanAbs: gradient.mean_abs };
}

/** What a tensor has when one more contribution has come: the sum, as far as the records can tell it. */
function arrive(before, edge) {
  const tensor = tensors.get(edge.tensor);
  const parts = (before?.parts ?? 0) + 1;
  const part = edge.contribution;
  // Its gradient stood there from the beginning.
  if (tensor.kind === "output") return { ...before, parts };
  if (isGiven(tensor) && parts === expected.get(tensor.id)) return { ...seed(tensor), parts };
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

/** Whether the sum isn't that of the contributions, in this order: several walks back, a hook, ops that aren't drawn. */
function isGiven({ altered, gradient }) {
  return Boolean(gradient) && (Boolean(altered) || outputs.length > 1);
}

/** Mean |·| of a sum: of its values; of large arrays the records know it only once everything has arrived. */
function meanOfSum(tensor, parts, values) {
  if (values.length) return values.reduce((sum, v) => sum + Math.abs(v), 0) / values.length;
  return parts === expected.get(tensor.id) ? tensor.gradient?.mean_abs : undefined;
}
