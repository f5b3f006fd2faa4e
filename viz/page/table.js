// The table of gradients: what has arrived so far, per tensor. Of many tensors it shows those around the current one.

/** The most rows at a time. */
const ROWS = 150;

/** The ids of all rows, the place of each, the first row that is shown, and what the rows that are shown say. */
const table = { ids: [], places: new Map(), from: 0, rows: new Map(), shown: new Map(), current: undefined };

/** The gradients so far, parameters first. Attributes hold the numbers in full, of small arrays all elements. */
function showGradients(arrived, current) {
  if (!table.ids.length) startTable();
  const place = table.places.get(current) ?? table.from;
  if (!table.rows.size || place < table.from || place >= table.from + ROWS) showRows(startFor(place), arrived);
  for (const [id, row] of table.rows) if (table.shown.get(id) !== arrived.get(id)) showRow(id, row, arrived.get(id));
  table.rows.get(table.current)?.classList.remove("current");
  table.rows.get(current)?.classList.add("current");
  table.current = current;
}

function startTable() {
  const isParameter = (id) => tensors.get(id).kind === "parameter";
  // From the first layer on, as they are drawn; backward reaches the last one first.
  const ids = graph.tensors.map(({ id }) => id).filter((id) => expected.has(id));
  table.ids = [...ids.filter(isParameter), ...ids.filter((id) => !isParameter(id))];
  table.ids.forEach((id, place) => table.places.set(id, place));
}

/** The first row, so that this one is in the middle. */
function startFor(place) {
  return Math.max(Math.min(place - (ROWS >> 1), table.ids.length - ROWS), 0);
}

function showRow(id, old, sum) {
  const row = gradientRow(tensors.get(id), sum);
  const hadFocus = old.contains(document.activeElement);
  old.replaceWith(row);
  if (hadFocus) row.querySelector("button").focus({ preventScroll: true });
  table.rows.set(id, row);
  table.shown.set(id, sum);
}

/** Show the rows from this one on, between buttons that lead to the others. */
function showRows(from, arrived) {
  table.from = from;
  const ids = table.ids.slice(from, from + ROWS);
  table.shown = new Map(ids.map((id) => [id, arrived.get(id)]));
  table.rows = new Map(ids.map((id) => [id, gradientRow(tensors.get(id), arrived.get(id))]));
  table.rows.get(table.current)?.classList.add("current");
  const none = `No gradient flows ${steps.at(-1).op?.error ? "after an error" : "in this graph"}.`;
  find("gradients").replaceChildren(...(ids.length ? fullTable(arrived) : [line(element("small", {}, none))]));
}

function fullTable(arrived) {
  const columns = ["tensor", "paths", `∂${graph.loss}/∂·`].map((text) => element("th", { scope: "col" }, text));
  const head = element("thead", {}, element("tr", {}, columns));
  const heading = element("h2", {}, "Gradients so far ", element("small", {}, "mean |·| of arrays"));
  const [above, below] = [table.from, table.ids.length - table.from - table.rows.size];
  return [
    heading,
    more(above, "above", Math.max(above - ROWS, 0), arrived),
    element("table", {}, head, element("tbody", {}, [...table.rows.values()])),
    more(below, "below", table.from + ROWS, arrived),
  ];
}

/** A button that leads to rows that aren't shown; nothing where there are none. */
function more(count, side, from, arrived) {
  if (count <= 0) return "";
  const button = element("button", { class: "link" }, `${count} more ${side}`);
  button.addEventListener("click", () => showRows(from, arrived));
  return line(button);
}

function gradientRow(tensor, arrived) {
  const [parts, all] = [arrived?.parts ?? 0, expected.get(tensor.id)];
  const complete = parts === all;
  const attributes = {
    class: [tensor.kind, complete && "complete"].filter(Boolean).join(" "),
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
  const cells = [element("span", {}, jump, place), `${parts} of ${all}`, arrivedText(arrived)];
  return element("tr", attributes, ...cells.map((cell) => element("td", {}, cell)));
}

function arrivedText(arrived) {
  if (!arrived) return "";
  if (arrived.value !== undefined) return number(arrived.value);
  return arrived.meanAbs === undefined ? "…" : number(arrived.meanAbs, 3);
}
