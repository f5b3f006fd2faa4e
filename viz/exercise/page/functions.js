// Functions that an answer may call, and the arithmetic of numbers, vectors and matrices.

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** By the names that drawings write. */
const FUNCTIONS = {
  "σ": sigmoid,
  exp: Math.exp,
  ln: Math.log,
  "log₂": Math.log2,
  "log₁₀": Math.log10,
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  arcsin: Math.asin,
  arccos: Math.acos,
  arctan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  arcsinh: Math.asinh,
  arccosh: Math.acosh,
  arctanh: Math.atanh,
  relu: (x) => Math.max(x, 0),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  sign: Math.sign,
  abs: Math.abs,
  max: Math.max,
  min: Math.min,
};

/** Everyday spellings. */
const ALSO = {
  sigmoid: "σ",
  log: "ln",
  log2: "log₂",
  log10: "log₁₀",
  asin: "arcsin",
  acos: "arccos",
  atan: "arctan",
  asinh: "arcsinh",
  acosh: "arccosh",
  atanh: "arctanh",
  sgn: "sign",
  maximum: "max",
  minimum: "min",
};

const CONSTANTS = { e: Math.E, "π": Math.PI, pi: Math.PI };

const SIGNS = {
  "+": (a, b) => a + b,
  "−": (a, b) => a - b,
  "/": (a, b) => a / b,
  "⊙": (a, b) => a * b,
  "^": (a, b) => a ** b,
  ">": (a, b) => Number(a > b),
  "≥": (a, b) => Number(a >= b),
  "<": (a, b) => Number(a < b),
  "≤": (a, b) => Number(a <= b),
  "=": (a, b) => Number(a === b),
  "≠": (a, b) => Number(a !== b),
};

/** The value of a tree that `read` made, for values of the names. */
function evaluate(tree, values) {
  const [kind, ...rest] = tree;
  const of = (part) => evaluate(part, values);
  if (kind === "number") return rest[0];
  if (kind === "name") return values[rest[0]];
  if (kind === "negative") return each((x) => -x, of(rest[0]));
  if (kind === "call") return each(FUNCTIONS[rest[0]], ...rest[1].map(of));
  if (kind === "choice") return each((condition, x, y) => (condition ? x : y), ...rest.map(of));
  if (kind === "transposed") return transposed(of(rest[0]));
  if (kind === "sum") return summed(of(rest[0]));
  const [left, right] = rest.map(of);
  if (kind !== "·") return each(SIGNS[kind], left, right);
  return isMatrix(left) && isMatrix(right) ? matrixProduct(left, right) : each(SIGNS["⊙"], left, right);
}

const isMatrix = (x) => Array.isArray(x) && Array.isArray(x[0]);

function shapeOf(x) {
  return Array.isArray(x) ? [x.length, ...shapeOf(x[0])] : [];
}

/** A function of numbers, element by element; a number goes with every element, a vector with every row. */
function each(f, ...operands) {
  const deepest = Math.max(...operands.map((x) => shapeOf(x).length));
  if (deepest === 0) return f(...operands);
  const whole = operands.filter((x) => shapeOf(x).length === deepest);
  const [length] = shapeOf(whole[0]);
  if (whole.some((x) => x.length !== length)) throw new Misread(`${whole.map(shapeText).join(" and ")} don't fit.`);
  const row = (x, k) => (shapeOf(x).length === deepest ? x[k] : x);
  return Array.from({ length }, (_, k) => each(f, ...operands.map((x) => row(x, k))));
}

function transposed(x) {
  return isMatrix(x) ? x[0].map((_, k) => x.map((row) => row[k])) : x;
}

/** The sum over the first axis: of the rows of a matrix, of the elements of a vector. */
function summed(x) {
  return Array.isArray(x) ? x.reduce((a, b) => each(SIGNS["+"], a, b)) : x;
}

function matrixProduct(left, right) {
  if (left[0].length !== right.length) {
    throw new Misread(`A product of ${shapeText(left)} and ${shapeText(right)} doesn't fit: transpose or exchange them.`);
  }
  const columns = transposed(right);
  return left.map((row) => columns.map((column) => row.reduce((sum, x, k) => sum + x * column[k], 0)));
}

function shapeText(x) {
  const shape = shapeOf(x);
  return shape.length ? `(${shape.join(", ")}${shape.length === 1 ? "," : ""})` : "a number";
}
