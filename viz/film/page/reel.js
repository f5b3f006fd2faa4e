// The data of the film, and how its numbers are written.

const reel = dataOf("reel");
const frames = reel.steps.length;

/** A number in few characters; a dash where there is none. */
function written(value, digits = 3) {
  return value === null || value === undefined ? "–" : brief(value, digits, 1);
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}
