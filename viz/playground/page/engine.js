// The engine: forward runs the blocks in order; backward runs them in reverse, and applies the chain rule to each.

const program = dataOf("program");

/** The number in each slot, and its gradient ∂L/∂·. */
const values = Float64Array.from(program.values);
const gradients = new Float64Array(values.length);

const tensors = new Map(program.tensors.map((tensor) => [tensor.id, tensor]));

function slotsOf(slots) {
  return Array.isArray(slots) ? Int32Array.from(slots) : Int32Array.from({ length: slots.count }, (_, k) => slots.first + k);
}

/** A block with its slots spelled out, and what it does. */
function kindOf(block) {
  block.out = slotsOf(block.out);
  for (const name of ["operands", "factors", "groups"]) block[name] &&= block[name].map(slotsOf);
  if ("map" in block) return new Mapped(block);
  return "at" in block ? new Products(block) : new Extremes(block);
}

/** out[k] = f(x[k], y[k], …) */
class Mapped {
  constructor({ map, out, operands }) {
    Object.assign(this, FUNCTIONS[map], { out, operands });
  }

  forward() {
    for (let k = 0; k < this.out.length; k++) values[this.out[k]] = this.value(...this.operands.map((slots) => values[slots[k]]));
  }

  backward() {
    for (let k = 0; k < this.out.length; k++) {
      for (let p = 0; p < this.operands.length; p++) gradients[this.operands[p][k]] += gradients[this.out[k]] * this.slope(k, p);
    }
  }

  /** ∂out/∂operand, by the derivative that the op states. */
  slope(k, p) {
    return this.slopes[p] ? Number(this.slopes[p](...this.operands.map((slots) => values[slots[k]]), values[this.out[k]])) : 0;
  }

  /** Where a slot goes in: to which other, and with which local derivative. */
  *uses(slot) {
    for (let p = 0; p < this.operands.length; p++) {
      for (let k = 0; k < this.out.length; k++) if (this.operands[p][k] === slot) yield [this.out[k], this.slope(k, p)];
    }
  }
}

/** out[at[t]] += c[t] · x[t] · w[t] … */
class Products {
  constructor(block) {
    Object.assign(this, block);
  }

  forward() {
    for (const slot of this.out) values[slot] = 0;
    for (let t = 0; t < this.at.length; t++) values[this.out[this.at[t]]] += this.without(t, -1);
  }

  backward() {
    for (let t = 0; t < this.at.length; t++) {
      const upstream = gradients[this.out[this.at[t]]];
      for (let p = 0; p < this.factors.length; p++) gradients[this.factors[p][t]] += upstream * this.without(t, p);
    }
  }

  /** Term t without one of its factors: its derivative for that factor. */
  without(t, left) {
    let product = this.coefficients[t];
    for (let p = 0; p < this.factors.length; p++) if (p !== left) product *= values[this.factors[p][t]];
    return product;
  }

  *uses(slot) {
    for (let p = 0; p < this.factors.length; p++) {
      for (let t = 0; t < this.at.length; t++) if (this.factors[p][t] === slot) yield [this.out[this.at[t]], this.without(t, p)];
    }
  }
}

/** out[k] = the maximum of a group, or its minimum with the sign −1; NaN is carried. */
class Extremes {
  constructor(block) {
    Object.assign(this, block);
  }

  forward() {
    const best = this.sign > 0 ? maximum : minimum;
    this.groups.forEach((group, k) => (values[this.out[k]] = group.reduce((found, slot) => best(found, values[slot]), values[group[0]])));
  }

  backward() {
    this.groups.forEach((group, k) => {
      for (const [slot, part] of this.winners(group, k)) gradients[slot] += gradients[this.out[k]] * part;
    });
  }

  /** The slots that the gradient goes to, and the part of each: all that tie, or the first of them. */
  winners(group, k) {
    const tied = [...group].filter((slot) => values[slot] === values[this.out[k]]);
    return this.shared ? tied.map((slot) => [slot, 1 / tied.length]) : tied.slice(0, 1).map((slot) => [slot, 1]);
  }

  *uses(slot) {
    for (const [k, group] of this.groups.entries()) {
      for (const [winner, part] of this.winners(group, k)) if (winner === slot) yield [this.out[k], part];
    }
  }
}

const blocks = program.blocks.map(kindOf);
for (const tensor of program.tensors) tensor.slots = slotsOf(tensor.slots);
for (const stage of program.stages) {
  for (const port of stage.ports) {
    port.slots = slotsOf(port.slots);
    port.from = tensors.get(port.tensor).slots;
  }
}

function forward() {
  let next = 0;
  for (const stage of program.stages) {
    for (const { slots, from } of stage.ports) for (let k = 0; k < slots.length; k++) values[slots[k]] = values[from[k]];
    for (next = stage.first; next < stage.last; next++) blocks[next].forward();
  }
  for (; next < blocks.length; next++) blocks[next].forward();
  return values[program.loss];
}

function backward() {
  gradients.fill(0);
  gradients[program.loss] = 1;
  let last = blocks.length;
  for (const stage of program.stages.toReversed()) {
    while (last > stage.first) blocks[--last].backward();
    for (const { slots, from, carries } of stage.ports) {
      if (carries) for (let k = 0; k < slots.length; k++) gradients[from[k]] += gradients[slots[k]];
    }
  }
}
