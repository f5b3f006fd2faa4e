// Describes one step in words and numbers.

/** The lines that describe a step, and beside them a picture of the array that it made. */
function describe(step, arrived) {
  const lines = element("div", {}, ...DESCRIPTIONS[step.phase](step, arrived));
  return [lines, ...thumbnail(step)];
}

function thumbnail({ op, edge }) {
  const details = edge ? edge.contribution?.details : tensors.get(op?.output)?.details;
  if (!details?.picture) return [];
  const caption = element("figcaption", {}, edge ? leftOf(edge.rule) : title(tensors.get(op.output)));
  return [element("figure", { class: "thumbnail" }, picture(details.picture, edge !== undefined), caption)];
}

const DESCRIPTIONS = {
  start: () => [
    headline("The whole graph", "data flows down, the gradient flows up"),
    line(`Press → : ${graph.ops.some((op) => op.error) ? "each op runs, up to the one that failed." : AHEAD[Number(expected.size > 0)]}`),
  ],
  forward: ({ op }) => [headline(`Forward: ${op.symbol}`, op.scopes && modulePath(op)), line(...appliedLine(op))],
  failed: ({ op }) => [
    headline(`Failed: ${op.symbol}`, op.scopes && modulePath(op)),
    line(...operands(op)),
    element("p", { class: "error" }, op.error),
  ],
  seed: () => [
    ...beginning(),
    line("From here each op passes the gradient on to its inputs, times its local derivative."),
  ],
  backward: ({ edge }, arrived) => describeBackward(edge, arrived),
  end: () => [
    headline("Done", "the gradient has come along every path"),
    line("The gradient of each parameter is the sum of what came along all its paths."),
    line("The table shows it. ", ...whatGradHolds()),
  ],
};

const AHEAD = [
  "each op runs. No gradient flows back here.",
  "first each op runs, then the chain rule carries the gradient back, edge by edge.",
];

/** The upstream gradient: 1 at the loss; or what backward() was given, or what ops outside of the graph handed on. */
function beginning() {
  const starts = outputs.map((id) => [tensors.get(id), seed(tensors.get(id))]);
  const isLoss = starts.length === 1 && starts[0][1].value === 1;
  const ofItself = equation(`∂${graph.loss}/∂${graph.loss} = 1`);
  if (isLoss) return [headline("Backward begins", "at what is differentiated, the loss"), ofItself];
  const aside = starts.length > 1 ? `at ${starts.length} tensors: L is the sum of what comes from each` : "";
  const lines = starts.map(([tensor, sum]) => line(`∂${graph.loss}/∂`, nameTag(title(tensor), 28), " = ", sizesAndMean(tensor.shape, sum)));
  return [headline("Backward begins", aside), ...lines];
}

/** What `.grad` of the parameters holds. */
function whatGradHolds() {
  const code = (text) => element("code", {}, text);
  const known = graph.tensors.filter((tensor) => tensor.kind === "parameter" && tensor.held);
  const others = known.filter(({ held }) => !held.alone);
  if (!known.length) return graph.tensors.some(({ gradient }) => gradient) ? [] : ["Its numbers aren't known."];
  if (!others.length) return [code(".grad"), " holds it."];
  if (others.every(({ held }) => !held.after)) return [code(".grad"), " is empty: backward() has not run."];
  const { held, ...tensor } = others.find(({ held: { after } }) => after);
  const more = others.length > 1 ? `; ${others.length - 1} more differ` : "";
  const before = held.before ? [" held ", amount(held.before), " before, and"] : [];
  const name = nameTag(title(tensor), 28);
  return [code(".grad"), " of ", name, ...before, " now holds ", amount(held.after), `${more}.`];
}

/** A gradient in short. */
function amount({ value, mean_abs: meanAbs }) {
  return value === undefined ? `mean |·| ${number(meanAbs, 3)}` : number(value);
}

function headline(text, aside, name) {
  return element("h2", {}, text, name, aside ? element("small", {}, ` ${aside}`) : "");
}

function modulePath(op) {
  const [path, kind] = op.scopes.at(-1);
  return shorten(`in ${path || "the model"} (${kind})`);
}

/** `u₁ = a · b with a = 2, b = −3 gives −6`. */
function appliedLine(op) {
  const output = tensors.get(op.output);
  const made = element("b", {}, valueOrShape(output));
  return [...appliedTo(op), " gives ", made, spread(output.statistics)];
}

function spread(statistics) {
  return statistics ? `, mean ${number(statistics.mean, 3)} ± ${number(statistics.std, 3)}` : "";
}

/** `u₁ = a · b with a = 2, b = −3`. */
function appliedTo(op) {
  const given = operands(op);
  return [formula(op.applied || op.symbol), ...(given.length ? [" with ", ...given] : [])];
}

/** The operands that have a name, with their values or shapes; each once. */
function operands(op) {
  const ids = new Set(inputs.get(op.id).map((edge) => edge.tensor));
  const named = [...ids].map((id) => tensors.get(id)).filter((tensor) => tensor.symbol);
  return named.flatMap((tensor, k) => [k ? ", " : "", nameTag(title(tensor), 32), valueOrSizes(tensor)]);
}

function valueOrSizes(tensor) {
  if (tensor.value !== undefined) return ` = ${number(tensor.value)}`;
  return tensor.shape ? ` ${sizes(tensor.shape)}` : "";
}

function describeBackward(edge, arrived) {
  const op = ops.get(edge.op);
  const x = title(tensors.get(edge.tensor));
  return [
    headline(`Backward through ${op.symbol} to `, "", nameTag(title(tensors.get(edge.tensor)))),
    line(...appliedTo(op)),
    equation(edge.contribution ? product(edge, arrived) : rule(edge)),
    edge.summed ? line(`${x} was broadcast: summed over axis ${edge.summed.join(", ")}.`) : "",
    meeting(edge, arrived),
    alteration(edge, arrived.get(edge.tensor)),
  ];
}

/** The chain rule with its numbers: `∂L/∂a = ∂L/∂u · ∂u/∂a = 2 × −3 = −6`; of arrays the rule, and the mean. */
function product(edge, arrived) {
  const output = tensors.get(ops.get(edge.op).output);
  const upstream = arrived.get(output.id);
  const { value, mean_abs: meanAbs, shape: size } = edge.contribution;
  if (value === undefined || upstream?.value === undefined) {
    const [from, to] = [sizesAndMean(output.shape, upstream), sizesAndMean(size, { value, meanAbs })];
    return element("span", {}, rule(edge), element("br"), from, " → ", to);
  }
  const local = edge.local === undefined ? leftOf(edge.applied) : number(edge.local);
  const numbers = [gradient(upstream.value), ` × ${local} = `, gradient(value)];
  return element("span", {}, `${chain(edge)} = `, ...numbers, aside(edge));
}

/** `∂L/∂a = ∂L/∂u · ∂u/∂a`. */
function chain({ applied, rule: whole }) {
  const [result] = leftOf(applied).slice(1).split("/∂");
  return `${leftOf(whole)} = ∂${graph.loss}/∂${result} · ${leftOf(applied)}`;
}

/** Some ops state the whole rule, most the local derivative. */
function rule(edge) {
  if (!edge.derivative) return "";
  return edge.derivative.startsWith("∂L") ? edge.rule : element("span", {}, chain(edge), aside(edge));
}

function aside({ applied }) {
  return element("small", {}, `  where ${applied}`);
}

/** The left side of an equation. */
function leftOf(equation) {
  return equation.split(" = ", 1)[0];
}

function sizesAndMean(size, { value, meanAbs } = {}) {
  if (value !== undefined) return gradient(value);
  const mean = meanAbs === undefined ? "?" : gradient(meanAbs, 3);
  return element("span", {}, element("small", {}, `${sizes(size)} mean |·| `), mean);
}

function gradient(value, digits) {
  return element("b", { class: "gradient" }, number(value, digits));
}

/** Where paths meet: the sum so far, and the new one. */
function meeting(edge, arrived) {
  const all = expected.get(edge.tensor);
  if (all === 1) return "";
  const now = arrived.get(edge.tensor);
  const [{ before }] = arrivalsAt(position);
  const tensor = tensors.get(edge.tensor);
  if (tensor.kind === "output") return line("Backward began at this tensor: its gradient already includes this.");
  const paths = `Path ${now.parts} of ${all} to `;
  if (!before) return line(paths, nameTag(title(tensors.get(edge.tensor))), ": more will be added to this.");
  const sum = now.value === undefined ? meanSum(edge, before, now) : scalarSum(edge, before, now);
  return line(paths, nameTag(title(tensors.get(edge.tensor))), ": ", ...sum);
}

function alteration(edge, now) {
  const { altered } = tensors.get(edge.tensor);
  return altered && now.parts === expected.get(edge.tensor) ? line(`It isn't the sum of these: ${altered}.`) : "";
}

function scalarSum(edge, before, now) {
  return [gradient(before.value), " so far, + ", gradient(edge.contribution.value), " → ", gradient(now.value)];
}

function meanSum(edge, before, now) {
  const text = (mean) => (mean === undefined ? "…" : `mean |·| ${number(mean, 3)}`);
  const sum = element("b", { class: "gradient" }, text(now.meanAbs));
  return [`${text(before.meanAbs)} so far, + ${text(edge.contribution?.mean_abs)} → `, sum];
}
