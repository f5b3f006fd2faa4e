// What the reader does: change a number, step down the gradient, go back; and what the gradient had predicted of it.

const recorded = values.slice();
const trained = program.tensors.filter((tensor) => tensor.trained);
/** What the reader may change: the weights, then the inputs. */
const free = [...trained, ...program.tensors.filter((tensor) => tensor.free && !tensor.trained)];

/** Where changes are measured from: all numbers and gradients as they were, and what has been changed since. */
const base = { values: null, gradients: null, loss: 0, by: null };

/** The loss before and after each step of gradient descent since the last reset. */
const losses = [];

/** The element of a tensor that the panel is about. */
const chosen = { tensor: null, element: 0 };

function compute() {
  forward();
  backward();
}

function measureFrom(by = null) {
  Object.assign(base, { values: values.slice(), gradients: gradients.slice(), loss: values[program.loss], by });
}

/** Set one number; the change is measured from where this number was first touched. */
function setNumber(tensor, element, value) {
  if (!tensor.free || !Number.isFinite(value)) return;
  const slot = tensor.slots[element];
  if (base.by !== slot) measureFrom(slot);
  values[slot] = value;
  compute();
  choose(tensor, element);
}

/** Gradient descent: w ← w − rate · ∂L/∂w. */
function descend(count) {
  const rate = Number(find("rate").value);
  measureFrom("descent");
  if (losses.at(-1) !== values[program.loss]) losses.push(values[program.loss]);
  for (let k = 0; k < count; k++) {
    for (const { slots } of trained) for (const slot of slots) values[slot] -= rate * gradients[slot];
    compute();
    losses.push(values[program.loss]);
  }
  show();
}

function reset() {
  values.set(recorded);
  losses.length = 0;
  compute();
  measureFrom();
  show();
}

/** What the gradient predicted of the loss, Σ g · Δw over all weights, and what became of it. */
function change() {
  let predicted = 0;
  let blind = false;
  for (const { slots, trained } of free) {
    for (const slot of slots) {
      const delta = values[slot] - base.values[slot];
      if (delta === 0) continue;
      if (trained) predicted += base.gradients[slot] * delta;
      else blind = true;
    }
  }
  const actual = values[program.loss] - base.loss;
  return { predicted: blind ? NaN : predicted, actual, left: actual - predicted, blind };
}

/** The numbers that a slider offers for a slot. */
function rangeOf(slot) {
  const reach = Math.max(2 * abs(recorded[slot]), 1);
  return [Math.min(recorded[slot] - reach, values[slot]), Math.max(recorded[slot] + reach, values[slot])];
}

function nudge(tensor, element, steps) {
  const slot = tensor.slots[element];
  const size = Math.max(2 * abs(recorded[slot]), 1) / 50;
  setNumber(tensor, element, Number((values[slot] + steps * size).toPrecision(12)));
}

function choose(tensor, element) {
  Object.assign(chosen, { tensor, element });
  show();
}
