// The table of gradients: what has arrived so far, per tensor.

/** The rows by id of the tensor, and what they show. */
const table = { rows: new Map(), arrived: new Map(), current: undefined };

/** The gradients so far, parameters first. Attributes hold the numbers in full, of small arrays all elements. */
function showGradients(arrived, current) {
  if (!table.rows.size) return find("gradients").replaceChildren(...newTable(arrived, current));
  for (const id of new Set([...table.arrived.keys(), ...arrived.keys()])) {
    if (table.arrived.get(id) !== arrived.get(id)) showRow(id, arrived.get(id), id === current);
  }
  table.rows.get(table.current)?.classList.remove("current");
  table.rows.get(current)?.classList.add("current");
  Object.assign(table, { arrived, current });
}

function showRow(id, arrived, isCurrent) {
  const row = gradientRow(tensors.get(id), arrived, isCurrent);
  table.rows.get(id)?.replaceWith(row);
  if (table.rows.has(id)) table.rows.set(id, row);
}

function newTable(arrived, current) {
  if (!expected.size) return [line(element("small", {}, "No gradient flows in this graph."))];
  const ids = [...expected.keys()];
  const isParameter = (id) => tensors.get(id).kind === "parameter";
  const sorted = [...ids.filter(isParameter), ...ids.filter((id) => !isParameter(id))];
  for (const id of sorted) table.rows.set(id, gradientRow(tensors.get(id), arrived.get(id), id === current));
  Object.assign(table, { arrived, current });
  const columns = ["tensor", "paths", `∂${graph.loss}/∂·`].map((text) => element("th", { scope: "col" }, text));
  const head = element("thead", {}, element("tr", {}, columns));
  const heading = element("h2", {}, "Gradients so far ", element("small", {}, "mean |·| of arrays"));
  return [heading, element("table", {}, head, element("tbody", {}, [...table.rows.values()]))];
}

function gradientRow(tensor, arrived, isCurrent) {
  const [parts, all] = [arrived?.parts ?? 0, expected.get(tensor.id)];
  const complete = parts === all;
  const attributes = {
    class: [tensor.kind, complete && "complete", isCurrent && "current"].filter(Boolean).join(" "),
    "data-tensor": tensor.id,
    "data-name": tensor.name ?? "",
    "data-arrived": parts,
    "data-expected": all,
    "data-gradient": arrived?.value,
    "data-mean-abs": arrived?.meanAbs,
    "data-values": arrived?.values?.length <= FEW ? JSON.stringify(arrived.values) : undefined,
  };
  const jump = element("button", { class: "link", "data-show": tensor.id }, nameTag(title(tensor), 28));
  const place = element("small", {}, tensor.name ? "" : ` ${origin(tensor)}`);
  const cells = [element("span", {}, jump, place), `${parts}/${all}${complete ? " ✓" : ""}`, arrivedText(arrived)];
  return element("tr", attributes, ...cells.map((cell) => element("td", {}, cell)));
}

function arrivedText(arrived) {
  if (!arrived) return "";
  if (arrived.value !== undefined) return number(arrived.value);
  return arrived.meanAbs === undefined ? "…" : number(arrived.meanAbs, 3);
}
