// The table of gradients: what has arrived so far, per tensor.

/** The gradients so far, parameters first. Attributes hold the numbers in full, of small arrays all elements. */
function gradientTable(arrived, current) {
  if (!expected.size) return [line(element("small", {}, "No gradient flows in this graph."))];
  const ids = [...expected.keys()];
  const isParameter = (id) => tensors.get(id).kind === "parameter";
  const rows = [...ids.filter(isParameter), ...ids.filter((id) => !isParameter(id))];
  const columns = ["tensor", "paths", `∂${graph.loss}/∂·`].map((text) => element("th", { scope: "col" }, text));
  const body = rows.map((id) => gradientRow(tensors.get(id), arrived.get(id), id === current));
  const heading = element("h2", {}, "Gradients so far ", element("small", {}, "mean |·| of arrays"));
  return [heading, element("table", {}, element("thead", {}, element("tr", {}, columns)), element("tbody", {}, body))];
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
