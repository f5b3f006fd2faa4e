// The records of the graph, and look-ups between them.

/** Arrays are decoded at once: each has few elements. */
function reviveArrays(key, value) {
  return value?.float32 || value?.float64 ? Array.from(floatsOf(value)) : reviveFloat(key, value);
}

const graph = dataOf("records", reviveArrays);
graph.ops ??= [];
graph.tensors ??= [];
graph.edges ??= [];

/** The tensors that the graph is about: the loss, or all that backward() started from. */
const outputs = graph.tensors.filter((tensor) => tensor.kind === "output").map((tensor) => tensor.id);

const tensors = new Map(graph.tensors.map((tensor) => [tensor.id, tensor]));
const ops = new Map(graph.ops.map((op) => [op.id, op]));
const makers = new Map(graph.ops.map((op) => [op.output, op]));
const inputs = new Map(graph.ops.map((op) => [op.id, []]));
const users = new Map(graph.tensors.map((tensor) => [tensor.id, []]));
for (const edge of graph.edges) {
  edge.id = `edge-${edge.op}-${inputs.get(edge.op).length}`;
  inputs.get(edge.op).push(edge);
  users.get(edge.tensor).push(edge);
}
const edges = new Map(graph.edges.map((edge) => [edge.id, edge]));

/** The title of a tensor: its name, else what formulas call it. */
function title(tensor) {
  return tensor.name || tensor.symbol || tensor.kind;
}

/** Where a tensor comes from: `conv1 → relu`, the innermost module and the op; nothing for one that no op made. */
function origin(tensor) {
  const maker = makers.get(tensor.id);
  if (!maker) return "";
  const path = maker.scopes?.at(-1)[0];
  return path ? `${path} → ${doing(maker)}` : doing(maker);
}

/** The symbol of an op; of one that reads elements `[ ]`, which ones: `[:, 3]`. */
function doing({ symbol, applied }) {
  return (symbol === "[ ]" && /\[.*\]$/.exec(applied ?? "")?.[0]) || symbol;
}

/** Its value where it is one number, else its shape. */
function valueOrShape(tensor) {
  return tensor.value === undefined ? sizes(tensor.shape) : number(tensor.value);
}
