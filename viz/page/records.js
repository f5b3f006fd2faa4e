// The records of the graph, and look-ups between them.

/** Floats that JSON can't represent. */
const FLOATS = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** Decode what encoding.py writes for floats and arrays. */
function revive(key, value) {
  if (value?.float) return FLOATS[value.float];
  if (value?.float32) return Array.from(new Float32Array(bytesOf(value.float32).buffer));
  if (value?.float64) return Array.from(new Float64Array(bytesOf(value.float64).buffer));
  return value;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

const graph = JSON.parse(find("records").textContent, revive);
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
  return path ? `${path} → ${maker.symbol}` : maker.symbol;
}

/** Its value where it is one number, else its shape. */
function valueOrShape(tensor) {
  return tensor.value === undefined ? sizes(tensor.shape) : number(tensor.value);
}
