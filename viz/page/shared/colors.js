// Colours of numbers, as [red, green, blue]: blue below 0, vermilion above.

const [WHITE, BLUE, VERMILION] = [[255, 255, 255], [0, 114, 178], [213, 94, 0]];

/** A share of the way from one colour to another. */
function mix(from, to, share) {
  return from.map((start, k) => Math.round(start + share * (to[k] - start)));
}
