// Splits an answer into names, numbers and signs. Names are those of the drawing, however one types them.

/** What couldn't be understood, as a sentence. */
class Misread extends Error {}

const DIGITS_BELOW = "₀₁₂₃₄₅₆₇₈₉";
const RAISED = {
  ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((sign, digit) => [sign, String(digit)])),
  ...{ "⁺": "+", "⁻": "−", "ˣ": "x", "ʸ": "y", "ʷ": "w" },
};
const FRACTIONS = { "½": 1 / 2, "⅓": 1 / 3, "¼": 1 / 4, "¾": 3 / 4 };
const SPELLINGS = {
  ...{ "-": "−", "–": "−", "*": "·", "×": "·", "⋅": "·", "∙": "·", "•": "·", "@": "·", "÷": "/", "**": "^" },
  ...{ ">=": "≥", "<=": "≤", "==": "=", "!=": "≠", "[": "(", "]": ")", "{": "(", "}": ")", ".T": "ᵀ", "^T": "ᵀ" },
};
const SINGLE = "+−·⊙/^()|,><≥≤=≠√ᵀΣ";
const WORDS = ["if", "else", "sum", "where", "transpose"];
const LETTER = /[\p{L}\p{N}_]/u;

/** A letter as names compare it: u₁, u_1 and u1 are the same, ∂ is d. */
function plainLetter(letter) {
  const digit = DIGITS_BELOW.indexOf(letter);
  return digit >= 0 ? String(digit) : letter === "∂" ? "d" : letter;
}

/** Where a name that begins at a position ends; -1 if another stands there. */
function endOf(name, text, at) {
  for (const letter of name) {
    if (letter === "_") continue;
    while (text[at] === "_") at++;
    if (at >= text.length || plainLetter(text[at]) !== plainLetter(letter)) return -1;
    at++;
  }
  return at;
}

/** The spellings of a name: of a gradient also with L for the loss. */
function spellings(name) {
  const by = name.indexOf("/∂");
  return name.startsWith("∂") && by > 0 ? [name, `∂L${name.slice(by)}`] : [name];
}

/** All that may stand in an answer by name, the longest first: `[spelling, token]`. */
function vocabulary(names) {
  const own = names.flatMap((name) => spellings(name).map((spelling) => [spelling, { type: "name", name }]));
  const taken = new Set(own.map(([spelling]) => spelling));
  const functions = [...Object.keys(FUNCTIONS), ...Object.keys(ALSO)];
  const others = [
    ...functions.map((name) => [name, { type: "function", name: ALSO[name] ?? name }]),
    ...WORDS.map((word) => [word, { type: "word", word }]),
    ...Object.keys(CONSTANTS).map((name) => [name, { type: "number", value: CONSTANTS[name] }]),
  ];
  const all = [...own, ...others.filter(([spelling]) => !taken.has(spelling))];
  return all.sort(([a], [b]) => b.length - a.length);
}

/** The tokens of an answer; raises Misread. */
function tokenize(text, names) {
  const known = vocabulary(names);
  const tokens = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at])) at++;
    else at = addToken(text, at, known, names, tokens);
  }
  return tokens;
}

/** Add the token at a position; returns where the next one begins. */
function addToken(text, at, known, names, tokens) {
  const named = nameAt(text, at, known);
  if (named) {
    tokens.push({ ...named.token, at });
    return named.end;
  }
  const number = /^(\d+\.?\d*|\.\d+)(e[-−+]?\d+)?/i.exec(text.slice(at));
  if (number) {
    tokens.push({ type: "number", value: Number(number[0].replace("−", "-")), at });
    return at + number[0].length;
  }
  if (text[at] in FRACTIONS) return push(tokens, { type: "number", value: FRACTIONS[text[at]], at });
  const raised = /^[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ˣʸʷ]+/.exec(text.slice(at));
  if (raised) {
    tokens.push({ type: "raised", text: [...raised[0]].map((sign) => RAISED[sign]).join(""), at });
    return at + raised[0].length;
  }
  const two = text.slice(at, at + 2);
  if (two in SPELLINGS && !(/T$/.test(two) && LETTER.test(text[at + 2] ?? ""))) {
    tokens.push({ type: "sign", sign: SPELLINGS[two], at });
    return at + 2;
  }
  const sign = SPELLINGS[text[at]] ?? text[at];
  if (!SINGLE.includes(sign)) throw new Misread(notKnown(text, at, names));
  return push(tokens, { type: "sign", sign, at });
}

function push(tokens, token) {
  tokens.push(token);
  return token.at + 1;
}

/** The longest name at a position that ends where a word may end, or is followed by other names: `xh` is x · h. */
function nameAt(text, at, known) {
  for (const [spelling, token] of known) {
    const end = endOf(spelling, text, at);
    if (end > at && (isBoundary(text, end, spelling) || nameAt(text, end, known))) return { token, end };
  }
  return null;
}

function isBoundary(text, end, spelling) {
  const next = text[end] ?? " ";
  return !LETTER.test(next) || next === "ᵀ" || next in RAISED || next in FRACTIONS || !LETTER.test(spelling.at(-1));
}

function notKnown(text, at, names) {
  const [word] = /^[\p{L}\p{N}_∂/]+/u.exec(text.slice(at)) ?? [[...text.slice(at)][0]];
  const use = names.length ? `the names here are ${names.join(", ")}` : "numbers are enough here";
  return `“${word}” isn't known: ${use}.`;
}
