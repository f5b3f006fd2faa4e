// Two runs of one computation: the largest differences, and both runs' numbers in the details.

const compared = dataOf("compared", reviveArrays);
const pairs = new Map((compared?.pairs ?? []).map((pair) => [pair.id, pair]));

/** The values and gradients that differ by more than rounding, the largest difference first. */
const differences = [...pairs.values()]
  .flatMap(({ id, value, gradient }) => [{ id, what: "value", ...value }, { id, what: "gradient", ...gradient }])
  .filter(isApart)
  .sort((a, b) => b.relative - a.relative);

/** How many differences the panel lists. */
const LISTED = 12;
let visitedDifference = -1;

function isApart({ relative, rounding }) {
  return relative > (rounding ?? 0);
}

function startComparison() {
  if (!compared) return;
  const [first, second] = compared.labels;
  document.title = `${first} and ${second}, compared`;
  document.querySelector("h1").textContent = document.title;
  find("key-d").hidden = false;
  find("differences").hidden = false;
  find("differences").replaceChildren(...differencesTable(first, second));
}

function differencesTable(first, second) {
  const heading = element("h2", {}, "Largest differences ", element("small", {}, "of one element, over the largest of both"));
  const isResult = (id) => makers.has(id);
  const values = compared.values_part ?? [];
  const starts = [
    ...startLine("Parameters and inputs that differ:", values.filter((id) => !isResult(id))),
    ...startLine("Values begin to differ at", values.filter(isResult)),
    ...startLine("Gradients begin to differ at", compared.gradients_part),
  ];
  if (!differences.length) return [heading, line(`${first} and ${second} agree to rounding.`)];
  const head = ["tensor", first, second, "differ"].map((text) => element("th", { scope: "col" }, shorten(text, 16)));
  const rows = differences.slice(0, LISTED).map(differenceRow);
  const more = differences.length > LISTED ? [line(element("small", {}, `and ${differences.length - LISTED} more`))] : [];
  const steps = line(element("small", {}, `The steps below are those of ${first}.`));
  const body = element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows));
  return [heading, ...starts, body, ...more, steps];
}

function startLine(text, ids = []) {
  const links = ids.slice(0, 6).map((id) => [id, called(tensors.get(id))]);
  return ids.length ? [line(`${text} `, jumps(links), ids.length > 6 ? " …" : "")] : [];
}

/** A tensor's name; of a constant that is only a number, which may differ, the result that it went into. */
function called(tensor) {
  if (tensor.name || tensor.symbol) return title(tensor);
  const use = graph.edges.find((edge) => edge.tensor === tensor.id);
  const result = tensors.get(graph.ops.find((op) => op.id === use?.op)?.output);
  return result ? `${tensor.kind} in ${title(result)}` : tensor.kind;
}

function differenceRow(found) {
  const tensor = tensors.get(found.id);
  const label = found.what === "gradient" ? `∂${graph.loss}/∂${title(tensor)}` : called(tensor);
  const data = { "data-tensor": found.id, "data-what": found.what, "data-relative": found.relative, class: found.what };
  const cells = [jump(found.id, label), oneOf(found.first), oneOf(found.second), percent(found.relative)];
  return element("tr", data, cells.map((cell) => element("td", {}, cell)));
}

function oneOf(value) {
  return value === undefined ? "none" : number(value, 3);
}

function percent(relative) {
  return Number.isFinite(relative) ? `${number(100 * relative, 3)} %` : "∞";
}

/** What the other run has in place of this tensor's value or gradient. */
function comparedDetails(tensor, what) {
  const pair = pairs.get(tensor.id);
  const found = pair?.[what];
  if (!found) return [];
  const heading = `${what === "value" ? "Value" : "Gradient"} in ${compared.labels[1]}`;
  const other = what === "value" ? arrayDetails(heading, pair.second, styleOf(tensor)) : gradientDetails(heading, pair.second.gradient);
  const place = found.index ? ` at (${found.index.join(", ")})` : "";
  const both = found.relative ? `, most${place}: ${oneOf(found.first)} | ${oneOf(found.second)}` : "";
  const noun = isApart(found) ? "differ by" : "agree to rounding:";
  return [...other, line(element("strong", {}, `The ${what}s ${noun} ${percent(found.relative)}`), both)];
}

/** Go to the next of the largest differences, around. */
function visitDifference() {
  if (!differences.length) return;
  visitedDifference = (visitedDifference + 1) % Math.min(differences.length, LISTED);
  const { id } = differences[visitedDifference];
  for (const [k, row] of [...find("differences").querySelectorAll("tbody tr")].entries()) {
    row.classList.toggle("current", k === visitedDifference);
  }
  showDetails(id);
  const place = placeOf(id);
  if (place) reveal(place);
}
