// Numbers and names, as text.

/** A number with some significant digits and a true minus sign: `−0.05`, `1.278·10⁻⁸`. */
function number(value, digits = 4) {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const exact = Number.isInteger(value) && Math.abs(value) < 1e9;
  const size = Math.abs(value);
  if (!exact && (size < 1e-4 || size >= 1e6)) return scientific(Number(value.toPrecision(digits)).toExponential());
  return String(exact ? value : Number(value.toPrecision(digits))).replace("-", "−");
}

/** A number in few characters: `0.0123`, `1.2·10⁻⁵`; of a power of ten so many decimals. */
function brief(value, digits = 3, decimals = digits - 2) {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || value === 0 || (size >= 1e-3 && size < 1e5)) return number(value, digits);
  return scientific(value.toExponential(decimals));
}

/** `1.2e-5` as `1.2·10⁻⁵`. */
function scientific(text) {
  const [mantissa, exponent] = text.split("e");
  return `${mantissa.replace("-", "−")}·${powerOfTen(Number(exponent))}`;
}

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function powerOfTen(exponent) {
  return `10${[...String(exponent)].map((sign) => SUPERSCRIPTS[sign]).join("")}`;
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

/**
 * A name, isolated so that one written from right to left doesn't reverse its neighbours. In a narrow column it breaks
 * behind a dot or a slash rather than inside a word: `conv1.` and `weight`.
 */
function nameTag(text, longest) {
  const parts = shorten(text, longest).split(/(?<=[./])/);
  return element("bdi", { class: "name" }, parts.flatMap((part, k) => (k ? [element("wbr"), part] : part)));
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
