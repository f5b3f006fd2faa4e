// The panel beside the drawing: details of the part that was clicked.

/** What had the focus when the details were opened. */
let openedFrom = null;

function showDetails(id) {
  const content = detailsOf(id);
  if (!content) return;
  markOnly("chosen", [placeOf(id)].filter(Boolean));
  fillDetails(content);
  find("details").dataset.of = id;
}

/** Open the panel with this content. */
function fillDetails(content) {
  const close = element("button", { id: "close", title: "Close (Esc)", "aria-label": "Close" }, "×");
  close.addEventListener("click", closeDetails);
  find("details").replaceChildren(close, ...content.filter(Boolean));
  delete find("details").dataset.of;
  find("details").hidden = false;
  find("details").parentNode.scrollTop = 0;
}

/** Show details and go there; closing them leads back to where they were opened. */
function openDetails(id) {
  if (!find("details").contains(document.activeElement)) openedFrom = document.activeElement;
  showDetails(id);
  find("details").focus({ preventScroll: true });
}

function closeDetails() {
  const wasInside = find("details").contains(document.activeElement);
  hideDetails();
  if (wasInside) (openedFrom?.isConnected ? openedFrom : stage).focus({ preventScroll: true });
}

/** Of a box that holds an op and its result, the details of both. */
function detailsOf(id) {
  if (tensors.has(id)) return tensorDetails(tensors.get(id));
  if (!ops.has(id)) return edgeDetails(id);
  const result = tensors.get(ops.get(id).output);
  return [...opDetails(ops.get(id)), ...(shownView.compact && result ? tensorDetails(result) : [])];
}

function hideDetails() {
  markOnly("chosen", []);
  find("details").hidden = true;
  delete find("details").dataset.of;
}

const KINDS = {
  parameter: "parameter: it learns from its gradient",
  constant: "constant: no gradient flows to it",
  interior: "the result of an op",
  output: outputs.length > 1 ? "an output: L is the sum of what comes from each" : "the output, which is differentiated",
};

function tensorDetails(tensor) {
  const maker = makers.get(tensor.id);
  return [
    element("h2", {}, element("bdi", {}, title(tensor))),
    line(KINDS[tensor.kind]),
    facts([
      ["shape", sizes(tensor.shape)],
      ["dtype", tensor.dtype],
      ["made by", maker && jump(maker.id, maker.symbol)],
      ["used by", jumps(users.get(tensor.id).map((edge) => [edge.op, ops.get(edge.op).symbol]))],
    ]),
    ...arrayDetails("Value", tensor, styleOf(tensor)),
    ...comparedDetails(tensor, "value"),
    ...gradientDetails("Gradient", tensor.gradient),
    ...comparedDetails(tensor, "gradient"),
    tensor.altered && line(`It isn't the sum of what is drawn: ${tensor.altered}.`),
    ...heldDetails(tensor.held),
  ];
}

/** What `.grad` held before and after, where that isn't the gradient alone. */
function heldDetails(held) {
  if (!held || held.alone) return [];
  const text = (gradient) => (gradient ? amount(gradient) : "nothing");
  return [facts([[".grad before", text(held.before)], [".grad then", text(held.after)]])];
}

function opDetails(op) {
  const operand = ({ tensor }) => (tensors.get(tensor).symbol ? title(tensors.get(tensor)) : valueOrShape(tensors.get(tensor)));
  return [
    element("h2", {}, `${op.symbol} `, element("small", {}, op.name)),
    op.applied && equation(op.applied),
    op.error && element("p", { class: "error" }, op.error),
    facts([
      ["inputs", jumps(inputs.get(op.id).map((edge) => [edge.tensor, operand(edge)]))],
      ["in general", op.formula],
      ["output", op.output && jump(op.output, sizes(tensors.get(op.output).shape))],
      ...(op.params ?? []).map(([name, value]) => [name, value]),
      ["module", op.scopes?.map(([path, kind]) => `${path || "model"} (${kind})`).join(" › ")],
      ["source", op.source && `${op.source.file}:${op.source.number}`],
      ["idle", op.idle === undefined ? null : `${number(100 * op.idle, 3)} % lets no gradient through`],
    ]),
    op.source?.text && element("pre", {}, op.source.text),
    element("h3", {}, "Local derivatives"),
    ...inputs.get(op.id).map((edge) => line(jump(edge.id, edge.applied || `${operand(edge)}: no gradient`))),
  ];
}

/** Details of an edge into an op; for the edge out of an op, those of the op. */
function edgeDetails(id) {
  const edge = edges.get(id);
  if (!edge) return ops.has(id.split("-")[1]) ? opDetails(ops.get(id.split("-")[1])) : null;
  const [tensor, op] = [tensors.get(edge.tensor), ops.get(edge.op)];
  return [
    element("h2", {}, element("bdi", {}, title(tensor)), ` → ${op.symbol}`),
    line(formula(op.applied || op.symbol)),
    element("h3", {}, "Local rule"),
    edge.derivative ? equation(edge.applied) : line("No gradient flows back along this edge."),
    facts([
      ["its number", edge.local === undefined ? null : number(edge.local)],
      ["summed over", edge.summed && `axis ${edge.summed.join(", ")}, along which ${title(tensor)} was broadcast`],
      ["checked", checked(edge.checked)],
    ]),
    ...gradientDetails("What flows back along it", edge.contribution && { ...tensor.gradient, ...edge.contribution }),
  ];
}

/** The result of the check by finite differences. */
function checked(error) {
  if (error === undefined) return null;
  return `${error < 0.01 ? "✓ agrees with" : "✗ differs from"} finite differences (relative ${number(error, 2)})`;
}

/** The most values that are shown in full; more are kept of a parameter's gradient, to add them up. */
const FEW = 64;

/** How an array is shown: whether its sign matters, and the colour of its histogram. */
const ARRAY_STYLES = {
  values: { isSigned: false, color: "var(--accent)" },
  weights: { isSigned: true, color: "var(--parameter)" },
  gradient: { isSigned: true, color: "var(--gradient)" },
};

function styleOf(tensor) {
  return tensor.kind === "parameter" ? ARRAY_STYLES.weights : ARRAY_STYLES.values;
}

function gradientDetails(heading, record) {
  if (!record) return [];
  const array = { ...record, shape: record.shape ?? [] };
  const mean = record.value === undefined ? [["mean |·|", number(record.mean_abs)]] : [];
  return arrayDetails(heading, array, ARRAY_STYLES.gradient, mean);
}

/** Value, statistics, values, histogram and picture of an array. */
function arrayDetails(heading, { value, statistics, details, shape }, style, more = []) {
  if (value === undefined && !statistics && !details && !more.length) return [];
  const values = details?.values ?? [];
  const isArray = values.length !== 1;
  return [
    element("h3", {}, heading),
    value === undefined ? null : equation(number(value, 7)),
    facts([...more, ...statisticFacts(statistics)]),
    isArray && details?.picture && pictureWithLegend(details.picture, style.isSigned),
    isArray && details && statistics && histogram(details.histogram, statistics.min, statistics.max, style.color),
    value === undefined && values.length && values.length <= FEW ? valuesTable(values, shape) : null,
  ];
}

function statisticFacts(statistics) {
  if (!statistics) return [];
  const { mean, std, min, max, zeros, nans, infinities } = statistics;
  return [
    ["mean ± deviation", `${number(mean)} ± ${number(std)}`],
    ["from … to", `${number(min)} … ${number(max)}`],
    ["zeros", zeros ? `${number(100 * zeros, 3)} %` : null],
    ["NaN", nans || null],
    ["infinite", infinities || null],
  ];
}

/** All values, in rows as long as the last axis; a vector's in several. */
function valuesTable(values, shape = []) {
  const columns = shape.length > 1 ? shape.at(-1) : 6;
  const rows = [];
  for (let k = 0; k < values.length; k += columns) rows.push(values.slice(k, k + columns));
  const cells = (row) => row.map((value) => element("td", {}, number(value, 3)));
  return element("div", { class: "values" }, element("table", {}, rows.map((row) => element("tr", {}, cells(row)))));
}

// ------------------------------------------------------------------------------------------------------------- helpers

/** A list of terms and facts; terms without a fact are left out. */
function facts(pairs) {
  const known = pairs.filter(([, fact]) => fact !== undefined && fact !== null && fact !== "" && fact.length !== 0);
  const pair = ([term, fact]) => [element("dt", {}, term), element("dd", {}, fact)];
  return known.length ? element("dl", {}, known.flatMap(pair)) : null;
}

/** A button that leads to another part of the graph. */
function jump(id, text) {
  return element("button", { class: "link", "data-show": id }, nameTag(text, 40));
}

function jumps(targets) {
  const links = targets.flatMap(([id, text], k) => [k ? ", " : "", jump(id, text)]);
  return links.length ? element("span", {}, links) : null;
}
