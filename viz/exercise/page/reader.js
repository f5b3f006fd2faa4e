// Reads a formula as people write it into a tree, [kind, ...parts]; nothing is ever run as a program.

/** Trees for an answer: one, or two where 1/2x may mean 1/(2x) or (1/2)x. Raises Misread. */
function read(text, names) {
  const trees = [true, false].map((tight) => new Reader(text, names, tight).whole());
  const differ = JSON.stringify(trees[0]) !== JSON.stringify(trees[1]);
  return differ ? trees : trees.slice(0, 1);
}

/** A parser by recursive descent; `tight`: a product without a sign binds tighter than a quotient. */
class Reader {
  constructor(text, names, tight) {
    this.tokens = tokenize(text, names);
    this.text = text;
    this.names = names;
    this.tight = tight;
    this.place = 0;
    this.bars = 0;
  }

  get next() {
    return this.tokens[this.place];
  }

  is(sign) {
    return this.next?.type === "sign" && this.next.sign === sign;
  }

  isWord(word) {
    return this.next?.type === "word" && this.next.word === word;
  }

  take(sign) {
    if (!this.is(sign)) return false;
    this.place++;
    return true;
  }

  /** The sign that comes, if it is one of these; it is taken. */
  oneOf(signs) {
    return this.next?.type === "sign" && signs.includes(this.next.sign) ? this.tokens[this.place++].sign : null;
  }

  expect(sign) {
    if (!this.take(sign)) throw new Misread(this.next ? `“${sign}” is missing before “${this.rest()}”.` : `“${sign}” is missing at the end.`);
  }

  rest() {
    return this.text.slice(this.next.at);
  }

  whole() {
    if (!this.tokens.length) throw new Misread("Nothing is written yet.");
    const tree = this.choice();
    if (this.next) throw new Misread(`“${this.rest()}” wasn't understood.`);
    return tree;
  }

  /** `x if condition else y` */
  choice() {
    const x = this.comparison();
    if (!this.isWord("if")) return x;
    this.place++;
    const condition = this.comparison();
    if (!this.isWord("else")) throw new Misread("“else” is missing: write 1 if x > 0 else 0.");
    this.place++;
    return ["choice", condition, x, this.choice()];
  }

  comparison() {
    const left = this.sum();
    const sign = this.oneOf("><≥≤=≠");
    return sign ? [sign, left, this.sum()] : left;
  }

  sum() {
    let left = this.product();
    for (let sign = this.oneOf("+−"); sign; sign = this.oneOf("+−")) left = [sign, left, this.product()];
    return left;
  }

  product() {
    let left = this.factor();
    for (;;) {
      const sign = this.oneOf("·⊙/");
      if (sign) left = [sign, left, this.factor()];
      else if (this.beginsAtom()) left = ["·", left, this.factor()];
      else return left;
    }
  }

  /** A signed power; in tight reading with all that follows without a sign. */
  factor() {
    if (this.take("−")) return ["negative", this.factor()];
    if (this.take("+")) return this.factor();
    let left = this.power();
    while (this.tight && this.beginsAtom()) left = ["·", left, this.power()];
    return left;
  }

  beginsAtom() {
    if (!this.next) return false;
    if (this.next.type === "word") return !["if", "else"].includes(this.next.word);
    return this.next.type !== "sign" || "(√Σ".includes(this.next.sign) || (this.is("|") && !this.bars);
  }

  power() {
    const base = this.postfix(this.atom());
    if (!this.take("^")) return base;
    return this.postfix(["^", base, this.exponent()]);
  }

  exponent() {
    return this.take("−") ? ["negative", this.exponent()] : this.power();
  }

  /** Raised signs and transposition behind an atom. */
  postfix(tree) {
    for (;;) {
      if (this.take("ᵀ")) tree = ["transposed", tree];
      else if (this.next?.type === "raised") tree = ["^", tree, this.raised()];
      else return tree;
    }
  }

  raised() {
    const { text } = this.tokens[this.place++];
    return new Reader(text, this.names, this.tight).whole();
  }

  atom() {
    const token = this.next;
    if (!token) throw new Misread("Something is missing at the end.");
    this.place++;
    if (token.type === "number") return ["number", token.value];
    if (token.type === "name") return ["name", token.name];
    if (token.type === "function") return this.call(token.name);
    if (token.type === "word") return this.wordCall(token.word);
    if (token.sign === "(") return this.bracketed(")");
    if (token.sign === "|") return this.absolute();
    if (token.sign === "√") return ["call", "sqrt", [this.postfix(this.atom())]];
    if (token.sign === "Σ") return ["sum", this.factor()];
    this.place--;
    throw new Misread(`Something is missing before “${this.rest()}”.`);
  }

  bracketed(end) {
    const bars = this.bars;
    this.bars = 0;
    const inside = this.choice();
    this.expect(end);
    this.bars = bars;
    return inside;
  }

  absolute() {
    this.bars++;
    const inside = this.choice();
    this.expect("|");
    this.bars--;
    return ["call", "abs", [inside]];
  }

  /** `tanh(x)`, `tanh x`, `tanh² x` */
  call(name) {
    const exponent = this.next?.type === "raised" ? this.raised() : null;
    const operands = this.operands();
    const wanted = FUNCTIONS[name].length;
    if (operands.length !== wanted) throw new Misread(`${name} takes ${wanted} operand${wanted > 1 ? "s" : ""}, not ${operands.length}.`);
    const tree = ["call", name, operands];
    return exponent ? ["^", tree, exponent] : tree;
  }

  operands() {
    if (!this.take("(")) return [this.argument()];
    const bars = this.bars;
    this.bars = 0;
    const found = [this.choice()];
    while (this.take(",")) found.push(this.choice());
    this.expect(")");
    this.bars = bars;
    return found;
  }

  /** Without brackets: one power, after a number that stands directly before it, as in `tanh 2x`. */
  argument() {
    if (this.take("−")) return ["negative", this.argument()];
    const first = this.power();
    return first[0] === "number" && this.next?.type === "name" ? ["·", first, this.power()] : first;
  }

  wordCall(word) {
    if (word === "sum") return ["sum", this.operands()[0]];
    if (word === "transpose") return ["transposed", this.operands()[0]];
    const found = word === "where" ? this.operands() : [];
    if (found.length !== 3) throw new Misread(word === "where" ? "where takes a condition and two values." : `“${word}” has nothing before it.`);
    return ["choice", ...found];
  }
}
