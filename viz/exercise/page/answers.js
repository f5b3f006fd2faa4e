// Checks an answer: a formula at random points, a number within the digits that are shown, a shape size by size.

/** The largest relative difference between a formula and the derivative, which finite differences gave. */
const ROUNDING = 1e-5;

/** The verdict on an answer: whether it is right, and what to say. */
function check(blank, text) {
  try {
    return CHECKS[blank.kind === "rule" || blank.kind === "shape" ? blank.kind : "number"](blank, text);
  } catch (error) {
    if (error instanceof Misread) return { right: false, unread: true, says: error.message };
    throw error;
  }
}

const CHECKS = { rule: checkRule, number: checkNumber, shape: checkShape };

const wrong = (says) => ({ right: false, says });
const RIGHT = { right: true, says: "" };

// -------------------------------------------------------------------------------------------------------------- rules

function checkRule({ points }, text) {
  const { names, slopes } = points;
  const values = points.values.map((row) => Object.fromEntries(names.map((name, k) => [name, row[k]])));
  const found = read(text, names).map((tree) => values.map((at) => evaluate(tree, at)));
  return found.some((given) => agree(given, slopes)) ? RIGHT : wrong(mistake(found[0], points));
}

function agree(given, wanted) {
  if (Array.isArray(wanted) !== Array.isArray(given)) return false;
  if (Array.isArray(wanted)) return wanted.length === given.length && wanted.every((x, k) => agree(given[k], x));
  return Math.abs(given - wanted) <= ROUNDING * Math.max(1, Math.abs(wanted));
}

/** What is wrong with a rule, as far as the numbers tell. */
function mistake(given, { names, values, slopes }) {
  const [shape, wanted] = [shapeText(given[0]), shapeText(slopes[0])];
  if (wanted !== "a number") {
    if (agree(given.map(transposed), slopes)) return "It is transposed.";
    if (shape !== wanted) return `It gives ${shape} where the gradient is ${wanted}: compare the sizes.`;
  }
  const ratio = ratioOf(given.flat(2), slopes.flat(2));
  if (ratio === -1) return "The sign is wrong.";
  if (ratio) return `It is ${number(ratio)} times the derivative.`;
  if (wanted !== "a number") return "Of the right shape, but with other numbers.";
  const k = given.findIndex((x, place) => !agree(x, slopes[place]));
  const at = names.map((name, place) => `${name} = ${number(values[k][place])}`).join(", ");
  return `At ${at} it gives ${number(given[k])}; the slope there is ${number(slopes[k])}.`;
}

/** The number by which all differ; null if there is none. */
function ratioOf(given, wanted) {
  const pairs = given.map((x, k) => [x, wanted[k]]).filter((pair) => pair.some((x) => Math.abs(x) > ROUNDING));
  const [first] = pairs;
  if (pairs.length < 2 || !first[1]) return null;
  const ratio = Number((first[0] / first[1]).toPrecision(5));
  return ratio && pairs.every(([x, y]) => Math.abs(x - ratio * y) <= 1e-4 * Math.max(1, Math.abs(x))) ? ratio : null;
}

// ------------------------------------------------------------------------------------------------- numbers and shapes

function checkNumber({ value, tolerance }, text) {
  const decimal = text.replace(/^(\s*[-−–]?\d+),(\d+\s*)$/, "$1.$2");
  const given = evaluate(read(decimal, [])[0], {});
  if (Math.abs(given - value) <= tolerance) return RIGHT;
  if (value && Math.abs(given + value) <= tolerance) return wrong("The sign is wrong.");
  const close = Math.abs(given - value) <= 0.05 * Math.abs(value);
  return wrong(close ? "Close: take all the digits that are shown, and give three." : "Not this number.");
}

function checkShape({ shape }, text) {
  const isWritten = /^\s*[([]?\s*(\d+\s*([,×x*·\s]\s*\d+\s*)*,?\s*)?[)\]]?\s*$/i.test(text);
  if (!isWritten || !text.trim()) throw new Misread(`“${text.trim()}” isn't a shape: write its sizes, as in (4, 3).`);
  const given = [...text.matchAll(/\d+/g)].map(Number);
  if (given.length === shape.length && given.every((size, k) => size === shape[k])) return RIGHT;
  if (given.length !== shape.length) return wrong(`It has ${given.length === 1 ? "1 axis" : `${given.length} axes`}, not as many as the result.`);
  const isExchanged = String([...given].sort()) === String([...shape].sort());
  return wrong(isExchanged ? "The right sizes, in another order." : "Not these sizes.");
}
