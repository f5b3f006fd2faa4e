// One step shown: lit in the drawing, told in words and numbers, and entered in the table of gradients.

let position = 0;

/** When each part of the drawing comes into play: by id, the step at which it runs, and at which its gradient comes. */
const runsAt = new Map();
const returnsAt = new Map();

function startStepper() {
  steps.forEach((step, k) => {
    if (step.phase === "seed") returnsAt.set(graph.output, k);
    if (step.op) for (const id of partsOf(step.op)) setOnce(runsAt, id, k);
    if (step.edge) {
      setOnce(returnsAt, `edge-${step.edge.op}-out`, k);
      setOnce(returnsAt, step.edge.id, k);
      returnsAt.set(step.edge.tensor, k); // the last of its parts
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

/** Go to a step; those outside of the pass stand for its first and last. */
function show(wanted) {
  position = Math.min(Math.max(wanted, 0), steps.length - 1);
  const step = steps[position];
  const arrived = gradientsAfter(position + 1);
  find("slider").value = position;
  find("count").textContent = `${position} / ${steps.length - 1}`;
  document.body.dataset.step = position;
  document.body.dataset.phase = step.phase;
  light(step);
  find("story").replaceChildren(...tell(step, arrived));
  find("gradients").replaceChildren(...gradientTable(arrived, step.edge?.tensor));
  // Whoever reads the details isn't to lose them.
  if (find("details").hidden) find("gradients").querySelector(".current")?.scrollIntoView({ block: "nearest" });
}

// ------------------------------------------------------------------------------------------------------- in the drawing

/** What runs later is pale, what is at work now is lit, and the way the gradient has come is bold. */
function light(step) {
  const isForward = step.phase === "forward" || step.phase === "failed";
  for (const group of drawing.querySelectorAll(".node, .edge")) {
    group.classList.toggle("later", isForward && (runsAt.get(group.id) ?? -1) > position);
    const returns = returnsAt.get(group.id) ?? Infinity;
    group.classList.toggle("walked", !isForward && returns <= position);
    group.classList.toggle("due", step.phase !== "start" && returns > position);
  }
  for (const group of drawing.querySelectorAll(".now")) group.classList.remove("now");
  const now = atWork(step).map(placeOf).filter(Boolean);
  for (const group of now) group.classList.add("now");
  if (now.length) reveal(now[0]);
}

/** The parts at work in a step, that to look at first. */
function atWork({ phase, op, edge }) {
  if (phase === "seed") return [graph.output];
  if (op) return [op.id, op.output];
  return edge ? [edge.id, edge.tensor] : [];
}

/** Where a part of the graph is seen: itself, the folded module it is in, or the edge that it was drawn as. */
function placeOf(id) {
  const group = drawing.querySelector(`[id="${id}"]`);
  if (!group) return placeBehind(id);
  const edge = parts.edges.find((candidate) => candidate.group === group);
  const hidden = edge ? group.classList.contains("hidden") && hiddenBy(edge.ends[0]) : hiddenBy(id);
  return hidden ? hidden.closed : group;
}

/** Steps that only arrange a parameter aren't drawn: the edge behind them stands for them. */
function placeBehind(id) {
  const output = tensors.has(id) ? id : ops.get(edges.get(id)?.op ?? id)?.output;
  const next = users.get(output)?.[0];
  return next && placeOf(next.id);
}

// ------------------------------------------------------------------------------------------------------------- in words

/** The lines that tell a step, and beside them the array that it made. */
function tell(step, arrived) {
  const lines = element("div", {}, ...STORIES[step.phase](step, arrived));
  return [lines, ...thumbnail(step)];
}

function thumbnail({ op, edge }) {
  const details = edge ? edge.contribution?.details : tensors.get(op?.output)?.details;
  if (!details?.picture) return [];
  const caption = element("figcaption", {}, edge ? `∂L/∂${edge.operand}` : "z");
  return [element("figure", { class: "thumbnail" }, picture(details.picture, edge !== undefined), caption)];
}

const STORIES = {
  start: () => [
    headline("The whole graph", "data flows down, the gradient flows up"),
    line("Press → : first each op runs, then the chain rule carries the gradient back, edge by edge."),
  ],
  forward: ({ op }) => [headline(`Forward: ${op.symbol}`, op.scopes && modulePath(op)), line(...appliedLine(op))],
  failed: ({ op }) => [headline(`Here it failed: ${op.symbol}`, op.scopes && modulePath(op)), line(...operands(op)), element("p", { class: "error" }, op.error)],
  seed: () => [
    headline("Backward begins", "at the loss, which we call L"),
    equation("∂L/∂L = 1"),
    line("From here each op hands the gradient on to its inputs, times its local derivative."),
  ],
  backward: ({ edge }, arrived) => tellBackward(edge, arrived),
  end: () => [
    headline("Done", "every path has been walked"),
    line("The gradient of each parameter is the sum of what came along all its paths: the table shows it, and ", element("code", {}, ".grad"), " holds it."),
  ],
};

function headline(text, aside, name) {
  return element("h2", {}, text, name, aside ? element("small", {}, ` ${aside}`) : "");
}

function line(...children) {
  return element("p", {}, ...children);
}

function equation(...children) {
  return element("p", { class: "equation" }, ...children);
}

function modulePath(op) {
  const [path, kind] = op.scopes.at(-1);
  return shorten(`in ${path || "the model"} (${kind})`);
}

/** `z = x · y with x = a = 2, y = b = −3 gives −6`. */
function appliedLine(op) {
  const output = tensors.get(op.output);
  const spread = output.statistics ? `, mean ${number(output.statistics.mean, 3)} ± ${number(output.statistics.std, 3)}` : "";
  return [formula(op.formula || op.symbol), " with ", ...operands(op), " gives ", element("b", {}, gist(output)), spread];
}

function operands(op) {
  return inputs.get(op.id).flatMap((edge, k) => {
    const tensor = tensors.get(edge.tensor);
    return [k ? ", " : "", formula(edge.operand), " = ", nameTag(title(tensor), 32), valueOrSizes(tensor)];
  });
}

function valueOrSizes(tensor) {
  if (tensor.value !== undefined) return ` = ${number(tensor.value)}`;
  return tensor.shape ? ` ${sizes(tensor.shape)}` : "";
}

function formula(text) {
  return element("span", { class: "formula" }, text);
}

function tellBackward(edge, arrived) {
  const op = ops.get(edge.op);
  const x = edge.operand;
  return [
    headline(`Backward through ${op.symbol} to `, "", nameTag(title(tensors.get(edge.tensor)))),
    line(formula(op.formula || op.symbol), " with ", ...operands(op)),
    equation(edge.contribution ? product(edge, arrived) : rule(edge)),
    edge.summed ? line(`${x} was broadcast: summed over axis ${edge.summed.join(", ")}.`) : "",
    meeting(edge, arrived),
  ];
}

/** The chain rule with its numbers: `∂L/∂x = ∂L/∂z · ∂z/∂x = 2 × −3 = −6`; of arrays the rule, and what it made. */
function product(edge, arrived) {
  const made = ops.get(edge.op).output;
  const upstream = arrived.get(made);
  const { value, mean_abs: meanAbs, shape: size } = edge.contribution;
  if (value === undefined || upstream?.value === undefined) {
    const from = sizesAndMean(tensors.get(made).shape, upstream);
    return element("span", {}, rule(edge), element("br"), from, " → ", sizesAndMean(size, { value, meanAbs }));
  }
  const local = edge.local === undefined ? `∂z/∂${edge.operand}` : number(edge.local);
  return element("span", {}, `${chain(edge)} = `, gradient(upstream.value), ` × ${local} = `, gradient(value), aside(edge));
}

function chain({ operand }) {
  return `∂L/∂${operand} = ∂L/∂z · ∂z/∂${operand}`;
}

/** Some ops state their whole rule, most their local derivative. */
function rule(edge) {
  const derivative = edge.derivative ?? "";
  return derivative.startsWith("∂L") ? derivative : element("span", {}, chain(edge), aside(edge));
}

function aside({ derivative }) {
  return derivative ? element("small", {}, `  for ${derivative}`) : "";
}

function sizesAndMean(size, { value, meanAbs } = {}) {
  if (value !== undefined) return gradient(value);
  return element("span", {}, element("small", {}, `${sizes(size)} mean |·| `), meanAbs === undefined ? "?" : gradient(meanAbs, 3));
}

function gradient(value, digits) {
  return element("b", { class: "gradient" }, number(value, digits));
}

/** Where paths meet: what had come before, and the sum. */
function meeting(edge, arrived) {
  const all = expected.get(edge.tensor);
  if (all === 1) return "";
  const now = arrived.get(edge.tensor);
  const before = gradientsAfter(position).get(edge.tensor);
  const paths = `Path ${now.parts} of ${all} to `;
  if (!before) return line(paths, nameTag(title(tensors.get(edge.tensor))), ": more will be added to this.");
  const sum = now.value === undefined ? meanSum(edge, before, now) : scalarSum(edge, before, now);
  return line(paths, nameTag(title(tensors.get(edge.tensor))), ": ", ...sum);
}

function scalarSum(edge, before, now) {
  return [gradient(before.value), " so far, + ", gradient(edge.contribution.value), " → ", gradient(now.value)];
}

function meanSum(edge, before, now) {
  const said = (mean) => (mean === undefined ? "…" : `mean |·| ${number(mean, 3)}`);
  return [`${said(before.meanAbs)} so far, + ${said(edge.contribution?.mean_abs)} → `, element("b", { class: "gradient" }, said(now.meanAbs))];
}

// --------------------------------------------------------------------------------------------------------- in the table

/** What has arrived so far, per tensor: parameters first. Attributes hold the numbers in full. */
function gradientTable(arrived, current) {
  if (!expected.size) return [];
  const ids = [...expected.keys()];
  const isParameter = (id) => tensors.get(id).kind === "parameter";
  const rows = [...ids.filter(isParameter), ...ids.filter((id) => !isParameter(id))];
  const head = element("tr", {}, ...["tensor", "paths", "∂L/∂·"].map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((id) => gradientRow(tensors.get(id), arrived.get(id), id === current));
  const heading = element("h2", {}, "Gradients so far ", element("small", {}, "mean |·| of arrays"));
  return [heading, element("table", {}, element("thead", {}, head), element("tbody", {}, body))];
}

function gradientRow(tensor, arrived, isCurrent) {
  const [parts, all] = [arrived?.parts ?? 0, expected.get(tensor.id)];
  const complete = parts === all;
  const attributes = {
    class: `${tensor.kind} ${complete ? "complete" : ""} ${isCurrent ? "current" : ""}`,
    "data-tensor": tensor.id,
    "data-name": tensor.name ?? "",
    "data-arrived": parts,
    "data-expected": all,
    "data-gradient": arrived?.value,
    "data-mean-abs": arrived?.meanAbs,
    "data-values": arrived?.values?.length ? JSON.stringify(arrived.values) : undefined,
  };
  const jump = element("button", { class: "link", "data-show": tensor.id }, nameTag(title(tensor), 28));
  const cells = [jump, `${parts}/${all}${complete ? " ✓" : ""}`, arrivedText(arrived)];
  return element("tr", attributes, ...cells.map((cell) => element("td", {}, cell)));
}

function arrivedText(arrived) {
  if (!arrived) return "";
  if (arrived.value !== undefined) return number(arrived.value);
  return arrived.meanAbs === undefined ? "…" : number(arrived.meanAbs, 3);
}
