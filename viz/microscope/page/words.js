// What the page says: names of numbers, and one or two sentences about where each comes from.

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** A number in few characters: `0.0123`, `1.2·10⁻⁵`. */
function brief(value, digits = 3) {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || value === 0 || (size >= 1e-3 && size < 1e5)) return number(Number.isInteger(value) ? value : Number(value), digits);
  const [mantissa, exponent] = value.toExponential(digits - 2).split("e");
  return `${mantissa.replace("-", "−")}·10${[...String(Number(exponent))].map((sign) => RAISED[sign]).join("")}`;
}

/** The letter of a side in formulas: x goes in, z comes out. */
const letterOf = (layer, side) => ((side === "pixels") !== layer.transposed ? "x" : "z");

/** An element of a side or of the filters, as `x[0, 2, 5, 7]`; a signal has one place less. */
function elementName(layer, { side, image, channel, map, row, column }) {
  const place = isSignal(layer) ? [column] : [row, column];
  if (side === "weights") return `w[${[map, channel % channelsPerGroup(layer), ...place].join(", ")}]`;
  return `${letterOf(layer, side)}[${[layer.images[image], side === "pixels" ? channel : map, ...place].join(", ")}]`;
}

const gradientName = (name) => `∂L/∂${name}`;
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** The name of the number that the sum of a side gives. */
function summedName(layer, chosen) {
  const name = elementName(layer, chosen);
  if (chosen.side === "weights") return gradientName(name);
  return namesOf(layer, chosen.side).summed === chosen.side ? name : gradientName(name);
}

/** The formula of the sum. */
function formulaOf(layer, { side }) {
  const [given, other] = layer.transposed ? ["∂L/∂z", "x"] : ["x", "∂L/∂z"];
  if (!hasFilters(layer)) {
    const isMaximum = layer.arrays.chosen !== undefined;
    if (side === "windows") return isMaximum ? "z = the largest x of the window" : "z = Σ x · share of each";
    return isMaximum ? "∂L/∂x = Σ ∂L/∂z of the windows whose maximum it is" : "∂L/∂x = Σ share · ∂L/∂z over the windows that hold it";
  }
  const bias = arrayOf(layer, "bias") === null ? "" : " + b";
  if (side === "windows") return layer.transposed ? `∂L/∂x = Σ ${given} · w over the window and its channels` : `z = Σ ${given} · w over the window and its channels${bias}`;
  if (side === "pixels") return layer.transposed ? `z = Σ w · ${other} over the places that reach it${bias}` : `∂L/∂x = Σ w · ${other} over the places that it went into`;
  return `∂L/∂w = Σ ${given} · ${other} over images and places`;
}

/** What the number itself is, and what becomes of it. */
function storyOf(layer, chosen) {
  const { side } = chosen;
  if (side === "weights") return weightStory(layer, chosen);
  const names = namesOf(layer, side);
  const place = [chosen.image, side === "pixels" ? chosen.channel : chosen.map, chosen.row, chosen.column];
  const [value, gradient] = [at(arrayOf(layer, names.values), ...place), at(arrayOf(layer, names.gradient), ...place)];
  const name = elementName(layer, chosen);
  const beside = layer[side].beside;
  if (letterOf(layer, side) === "x") {
    const origin = beside ? `It was made by ${beside}` : "It is an input of the network";
    return [`${name} = ${brief(value, 5)}. ${origin}. ${fateOf(layer, chosen)}`, layer[side].shared ? "More of its gradient comes back along other paths; this is the part through this layer." : ""];
  }
  const back = gradient === null ? "No gradient for it was recorded." : `Its gradient ${gradientName(name)} = ${brief(gradient, 5)} ${beside ? `came back from ${beside}` : "is where the backward pass began"}; ${returnOf(layer, chosen)}`;
  return [back];
}

function weightStory(layer, chosen) {
  const place = [chosen.map, chosen.channel % channelsPerGroup(layer), chosen.row, chosen.column];
  const value = at(arrayOf(layer, "weights"), ...place);
  const whole = at(arrayOf(layer, "whole"), ...place);
  const parts = [`${elementName(layer, chosen)} = ${brief(value, 5)}. In each window it met one ${layer.transposed ? "∂L/∂z" : "pixel"}: these, times the ${layer.transposed ? "x" : "gradients that came back"} there, over all ${counted(layer.batch, "image")}.`];
  if (whole !== null) parts.push(`The layer ran more than once: over all its calls the gradient is ${brief(whole, 5)}; this is the part of this call.`);
  return parts;
}

/** Where an input went. */
function fateOf(layer, chosen) {
  if (chosen.side === "windows") return "Times each weight of the filter it is added to the outlined pixels of z.";
  const windows = windowsWith(layer.axes[0], chosen.row).length * windowsWith(layer.axes[1], chosen.column).length;
  if (!windows) return "No window holds it, so it has no gradient.";
  if (hasFilters(layer)) return `It lies in ${counted(windows, "window")} of ${counted(mapsPerGroup(layer), "filter")}: the weight that it met in each, times the gradient that came back there.`;
  if (layer.arrays.chosen === undefined) return `It lies in ${counted(windows, "window")}, and has its share in each.`;
  const wins = sumOf(layer, chosen)?.rows[0].left.numbers.filter((factor) => factor === 1).length;
  return `It lies in ${counted(windows, "window")}${wins === undefined ? "" : `, and is the maximum of ${wins === 0 ? "none" : wins}`}.`;
}

/** Where a result's gradient goes on to. */
function returnOf(layer, chosen) {
  if (chosen.side === "pixels") return "it goes on into the outlined elements of x.";
  if (layer.arrays.chosen !== undefined) return "it goes to the pixel that was chosen, and to no other.";
  return layer.arrays.shares === undefined ? "times each weight of the filter it goes to the outlined pixels." : "it goes to all pixels of the window, to each its share.";
}

/** What happens in one window when it scatters. */
function spreadStory(layer) {
  const target = letterOf(layer, "pixels") === "z" ? "z" : gradientName("x");
  const factors = hasFilters(layer) ? "the weights of its filter" : layer.arrays.chosen === undefined ? "the share of each pixel" : "1 at the pixel that was chosen, 0 elsewhere";
  return [`The number of this window, times ${factors}, is added to the outlined pixels of ${target}.`];
}
