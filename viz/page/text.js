// Numbers, names and elements. All that comes from the model enters the page as text, here and nowhere else.

/** A number with some significant digits and a true minus sign. */
function number(value, digits = 4) {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const exact = Number.isInteger(value) && Math.abs(value) < 1e9;
  return String(exact ? value : Number(value.toPrecision(digits))).replaceAll("-", "−");
}

/** A shape as Python prints it. */
function sizes(shape = []) {
  if (shape.length === 0) return "scalar";
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

/** The text, its middle left out if it is too long. */
function shorten(text, longest = 48) {
  const letters = [...text];
  if (letters.length <= longest) return text;
  const half = Math.floor(longest / 2);
  return `${letters.slice(0, half).join("")}…${letters.slice(1 - half).join("")}`;
}

/** A name, isolated so that one written from right to left doesn't reverse its neighbours. */
function nameTag(text, longest) {
  return element("bdi", { class: "name" }, shorten(text, longest));
}

/** A new element with attributes and children: other elements, or text. */
function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a part of a drawing. */
function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ""));
  return node;
}

/** The element of the page with this id. */
function find(id) {
  return document.getElementById(id);
}

/** A line of text. */
function line(...children) {
  return element("p", {}, ...children);
}

/** A formula on a line of its own. */
function equation(...children) {
  return element("p", { class: "equation" }, ...children);
}

/** A formula within a line. */
function formula(text) {
  return element("span", { class: "formula" }, text);
}
