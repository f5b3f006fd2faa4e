// The panel: the loss, what the gradient predicted, the chosen number with its products, and all tensors as grids.

const MOST_PRODUCTS = 8;
const [leafPainters, resultPainters] = [[], []];

function startPanel() {
  find("leaves").replaceChildren(...free.map((tensor) => card(tensor, leafPainters)));
  const results = program.tensors.filter((tensor) => !tensor.free && tensor.kind !== "constant");
  find("results").append(...results.map((tensor) => card(tensor, resultPainters)));
  find("results").addEventListener("toggle", paintPanel);
  find("results").hidden = !results.length;
  find("actual-of").textContent = `Δ${program.name}`;
  const key = (sign) => element("kbd", {}, sign);
  if (free.some(({ slots }) => slots.length > 1)) {
    find("how").append(element("small", {}, "Drag a cell sideways, or press ", key("+"), " ", key("−"), " on it; arrow keys go from cell to cell."));
  }
  find("slider").addEventListener("input", (event) => setNumber(chosen.tensor, chosen.element, Number(event.target.value)));
  find("box").addEventListener("input", (event) => event.target.value !== "" && setNumber(chosen.tensor, chosen.element, Number(event.target.value)));
}

/** A tensor: its name, shape and gradient, and its grid; a free scalar has a slider and a box. */
function card(tensor, painters) {
  const about = element("small", {});
  const [control, paint] = tensor.free && tensor.slots.length === 1 ? scalarControl(tensor) : panelGrid(tensor);
  painters.push(() => {
    paint();
    const gradient = tensor.slots.length === 1 ? number(gradients[tensor.slots[0]]) : `mean |·| ${number(meanSize(tensor.slots), 3)}`;
    about.textContent = tensor.reached ? `gradient ${gradient}` : "";
  });
  const shown = tensor.shape.length ? ` ${sizes(tensor.shape)}` : "";
  const heading = element("h3", {}, nameTag(tensor.title), element("small", {}, shown), about);
  return element("div", { class: `card ${tensor.kind}` }, heading, control);
}

function scalarControl(tensor) {
  const [slot] = tensor.slots;
  const [slider, box] = ["range", "number"].map((type) => element("input", { type, step: "any", "aria-label": tensor.title }));
  for (const input of [slider, box]) {
    input.addEventListener("input", () => input.value !== "" && setNumber(tensor, 0, Number(input.value)));
    input.addEventListener("focus", () => choose(tensor, 0));
  }
  const paint = () => showNumber(slider, box, slot);
  return [element("div", { class: "editor" }, slider, box), paint];
}

/** Put a number into its slider and its box, unless it is just being typed there. */
function showNumber(slider, box, slot) {
  const [low, high] = rangeOf(slot);
  Object.assign(slider, { min: low, max: high, value: values[slot] });
  slider.setAttribute("aria-valuetext", number(values[slot]));
  if (Number(box.value) !== values[slot] || box.value === "") box.value = Number(values[slot].toPrecision(6));
}

function paintPanel() {
  for (const paint of find("results").open ? [...leafPainters, ...resultPainters] : leafPainters) paint();
  find("loss").textContent = `${program.name} = ${number(values[program.loss], 6)}`;
  paintHistory();
  paintChange();
  paintChosen();
  paintCurve();
}

function paintChange() {
  const { predicted, actual, left, blind } = change();
  const moved = free.flatMap((tensor) => [...tensor.slots].map((slot, k) => [tensor, slot, k])).filter(([, slot]) => values[slot] !== base.values[slot]);
  const single = moved.length === 1;
  find("moved").replaceChildren(...(moved.length ? movedText(moved) : ["Change a number, or make a step."]));
  find("predicted-by").textContent = single && !blind ? "g · Δw" : "Σ g · Δw";
  find("predicted").textContent = blind ? "no gradient" : number(predicted);
  find("actual").textContent = number(actual);
  find("left").textContent = blind ? "–" : number(Math.abs(left) < 1e-14 ? 0 : left, 3);
  find("said").textContent = moved.length ? `${program.name} ${number(values[program.loss])}, changed by ${number(actual)}${blind ? "" : `, predicted ${number(predicted)}`}` : "";
}

function movedText(moved) {
  if (moved.length > 1) return [`${moved.length} numbers have changed${base.by === "descent" ? " down the gradient" : ""}.`];
  const [[tensor, slot, k]] = moved;
  const delta = values[slot] - base.values[slot];
  const gradient = tensor.trained ? ` with g = ${number(base.gradients[slot])}` : "";
  return [nameTag(elementName(tensor, k)), `: ${number(base.values[slot])} → ${number(values[slot])}, Δw = ${number(delta)}${gradient}`];
}

// --------------------------------------------------------------------------------------------------- the chosen number

function paintChosen() {
  const { tensor, element: k } = chosen;
  const slot = tensor.slots[k];
  find("chosen-title").replaceChildren(nameTag(elementName(tensor, k)), ` = ${number(values[slot], 6)}`);
  document.querySelector("#chosen .editor").hidden = !tensor.free;
  for (const id of ["slider", "box"]) find(id).setAttribute("aria-label", elementName(tensor, k));
  showNumber(find("slider"), find("box"), slot);
  const name = `∂${program.name}/∂${elementName(tensor, k)}`;
  const text = tensor.reached ? `${name} = ${number(gradients[slot], 6)}` : `${elementName(tensor, k)} gets no gradient.`;
  find("slope").replaceChildren(element("span", { class: "formula gradient" }, text));
  find("products").replaceChildren(...(tensor.reached ? productLines(tensor, k) : []));
}

/** The sum that a gradient is: per use of the number, what arrives times the local derivative. */
function productLines(tensor, k) {
  const uses = program.stages.flatMap((current) => current.ports.filter((port) => port.carries && port.tensor === tensor.id).map((port) => [current, port]));
  const lines = uses.flatMap(([current, port]) => linesOf(current, port.slots[k])).sort((one, other) => abs(other.size) - abs(one.size));
  if (!lines.length) return [];
  const rest = lines.length - MOST_PRODUCTS;
  const shown = lines.slice(0, MOST_PRODUCTS).map(({ parts }) => element("li", {}, ...parts));
  const more = rest > 0 ? [line(element("small", {}, `and ${rest} more`))] : [];
  const heading = lines.length > 1 ? `the sum of ${lines.length} products, the largest first` : "one product of the chain rule";
  return [element("h3", {}, heading), element("ol", {}, ...shown), ...more];
}

function linesOf(current, slot) {
  const output = tensors.get(current.output);
  const places = new Map([...output.slots].map((other, k) => [other, k]));
  const uses = usesOf(current, slot).filter(([, slope]) => slope !== 0);
  // An op of several steps: what flows back through all of them.
  if (uses.some(([to]) => !places.has(to))) {
    return [{ size: gradients[slot], parts: [formula(number(gradients[slot])), element("small", {}, ` through ${current.symbol}`)] }];
  }
  return uses.map(([to, slope]) => {
    const size = gradients[to] * slope;
    const product = `${number(gradients[to])} × ${factor(slope)} = ${number(size)}`;
    return { size, parts: [formula(product), element("small", {}, ` from ${elementName(output, places.get(to))}`)] };
  });
}

function factor(value) {
  return value < 0 ? `(${number(value)})` : number(value);
}
