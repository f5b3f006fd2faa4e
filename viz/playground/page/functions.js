// The functions of formulas, by their names there. What the ops compute is made of them, from the engine's own formulas.

const { abs, atan2, ceil, cos, cosh, exp, expm1, floor, hypot, log, log10, log1p, log2, sign, sin, sinh, sqrt, tan, tanh, trunc } = Math;
const { acos: arccos, acosh: arccosh, asin: arcsin, asinh: arcsinh, atan: arctan, atanh: arctanh } = Math;

const where = (condition, x, y) => (condition ? x : y);
const maximum = (x, y) => (x >= y || Number.isNaN(x) ? x : y);
const minimum = (x, y) => (x <= y || Number.isNaN(x) ? x : y);
const fmax = (x, y) => (x >= y || Number.isNaN(y) ? x : y);
const fmin = (x, y) => (x <= y || Number.isNaN(y) ? x : y);
const isnan = (x) => Number.isNaN(x);
const logical_and = (x, y) => Boolean(x) && Boolean(y);
const logical_or = (x, y) => Boolean(x) || Boolean(y);
const logical_xor = (x, y) => Boolean(x) !== Boolean(y);
const logical_not = (x) => !x;
const bitwise_and = (x, y) => x & y;
const bitwise_or = (x, y) => x | y;
const bitwise_xor = (x, y) => x ^ y;

/** To the nearest integer; halves to the even one. */
const round = (x) => {
  const below = floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
};

/** ln(eˣ + eʸ) and ln(1 + e^(βx))/β, which don't overflow. */
const logaddexp = (x, y) => (x === y ? x + Math.LN2 : maximum(x, y) + log1p(exp(-abs(x - y))));
const softplus = (x, beta) => logaddexp(0, beta * x) / beta;
