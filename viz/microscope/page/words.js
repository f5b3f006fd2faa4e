// What the page says: names of numbers, and one or two sentences about where each comes from.

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
  const isMaximum = layer.arrays.chosen !== undefined;
  if (!hasFilters(layer)) {
    if (side === "windows") return isMaximum ? "z = the largest x of the window" : "z = Σ x · share of each";
    const windows = isMaximum ? "∂L/∂z over the windows whose maximum it is" : "share · ∂L/∂z over the windows that hold it";
    return `∂L/∂x = Σ ${windows}`;
  }
  const [ofPixels, ofWindows] = layer.transposed ? ["∂L/∂z", "x"] : ["x", "∂L/∂z"];
  const bias = arrayOf(layer, "bias") === null ? "" : " + b";
  const over = "over the window and its channels";
  if (side === "weights") return `∂L/∂w = Σ ${ofPixels} · ${ofWindows} over images and places`;
  if (layer.transposed) return side === "windows" ? `∂L/∂x = Σ ∂L/∂z · w ${over}` : `z = Σ w · x over the places that reach it${bias}`;
  return side === "windows" ? `z = Σ x · w ${over}${bias}` : "∂L/∂x = Σ w · ∂L/∂z over the places that it went into";
}

/** Sentences about a number: what it is, and what becomes of it. */
function storyOf(layer, chosen) {
  if (chosen.side === "weights") return weightStory(layer, chosen);
  return letterOf(layer, chosen.side) === "x" ? inputStory(layer, chosen) : resultStory(layer, chosen);
}

/** Value and gradient of an element of a side; null where they aren't known. */
function numbersOf(layer, { side, image, channel, map, row, column }) {
  const { values, gradient } = namesOf(layer, side);
  const place = [image, side === "pixels" ? channel : map, row, column];
  return [at(arrayOf(layer, values), ...place), at(arrayOf(layer, gradient), ...place)];
}

function inputStory(layer, chosen) {
  const { beside, shared } = layer[chosen.side];
  const origin = beside ? `It was made by ${beside}` : "It is an input of the network";
  const story = [`${elementName(layer, chosen)} = ${brief(numbersOf(layer, chosen)[0], 5)}. ${origin}. ${fateOf(layer, chosen)}`];
  if (shared) story.push("This is the part of its gradient that comes back through this layer: other paths, or a hook, change it.");
  return story;
}

function resultStory(layer, chosen) {
  const [, gradient] = numbersOf(layer, chosen);
  if (gradient === null) return ["No gradient for it was recorded."];
  const { beside } = layer[chosen.side];
  const origin = beside ? `came back from ${beside}` : "is where the backward pass began";
  return [`Its gradient ${gradientName(elementName(layer, chosen))} = ${brief(gradient, 5)} ${origin}; ${returnOf(layer, chosen)}`];
}

function weightStory(layer, chosen) {
  const place = [chosen.map, chosen.channel % channelsPerGroup(layer), chosen.row, chosen.column];
  const [met, there] = layer.transposed ? ["∂L/∂z", "x"] : ["pixel", "gradients that came back"];
  const value = `${elementName(layer, chosen)} = ${brief(at(arrayOf(layer, "weights"), ...place), 5)}.`;
  const images = counted(layer.batch, "image");
  const story = [`${value} In each window it met one ${met}: these, times the ${there} there, over all ${images}.`];
  const whole = at(arrayOf(layer, "whole"), ...place);
  if (whole !== null) story.push(`This is the part of this call. With other calls, or a hook, ∂L/∂w is ${brief(whole, 5)}.`);
  return story;
}

/** Where an input went. */
function fateOf(layer, chosen) {
  if (chosen.side === "windows") return "Times each weight of the filter it is added to the outlined pixels of z.";
  const count = windowsWith(layer.axes[0], chosen.row).length * windowsWith(layer.axes[1], chosen.column).length;
  if (!count) return "No window holds it, so it has no gradient.";
  const lies = `It lies in ${counted(count, "window")}`;
  const filters = counted(mapsPerGroup(layer), "filter");
  if (hasFilters(layer)) return `${lies} of ${filters}: the weight that it met in each, times the gradient that came back there.`;
  if (layer.arrays.chosen === undefined) return `${lies}, and has its share in each.`;
  const wins = sumOf(layer, chosen)?.rows[0].left.numbers.filter((factor) => factor === 1).length;
  return wins === undefined ? `${lies}.` : `${lies}, and is the maximum of ${wins === 0 ? "none" : wins}.`;
}

/** Where a result's gradient goes on to. */
function returnOf(layer, chosen) {
  if (chosen.side === "pixels") return "it goes on into the outlined elements of x.";
  if (layer.arrays.chosen !== undefined) return "it goes to the pixel that was chosen, and to no other.";
  if (layer.arrays.shares !== undefined) return "it goes to all pixels of the window, to each its share.";
  return "times each weight of the filter it goes to the outlined pixels.";
}

/** What happens in one window when it scatters. */
function spreadStory(layer) {
  const target = letterOf(layer, "pixels") === "z" ? "z" : gradientName("x");
  const pooled = layer.arrays.chosen === undefined ? "the share of each pixel" : "1 at the pixel that was chosen, 0 elsewhere";
  const factors = hasFilters(layer) ? "the weights of its filter" : pooled;
  return [`The number of this window, times ${factors}, is added to the outlined pixels of ${target}.`];
}
