// Ways through the steps: play, jumps to the next layer or parameter, and links that lead to a step.

const PACE = 900; // milliseconds per step while playing
const REST = 300; // milliseconds after which the address says where the reader stopped
let player = null;
let note = null;

function startTravel() {
  find("play").addEventListener("click", togglePlay);
  addEventListener("hashchange", followLink);
  followLink();
}

function togglePlay() {
  if (player) return pause();
  if (position === steps.length - 1) show(0);
  player = setInterval(playStep, PACE);
  showPlayer();
}

function playStep() {
  show(position + 1);
  if (position === steps.length - 1) pause();
}

function pause() {
  clearInterval(player);
  player = null;
  showPlayer();
}

function showPlayer() {
  find("play").textContent = player ? "❚❚" : "▶";
  find("play").setAttribute("aria-label", player ? "Pause" : "Play");
}

/** Go to the step that the address names: `#step=27`. */
function followLink() {
  const found = /^#step=(\d+)$/.exec(location.hash);
  if (found) show(Number(found[1]));
}

/** Let the address name the present step, once the reader rests. */
function noteStep() {
  clearTimeout(note);
  if (!position && !location.hash) return;
  note = setTimeout(() => history.replaceState(null, "", `#step=${position}`), REST);
}

/** Go to the next step, or the one before, that begins another layer. */
function jumpToLayer(direction) {
  jumpTo(direction, (k) => layerAt(k) && layerAt(k) !== layerAt(k - 1));
}

/** The path of the module that a step's op ran in. */
function layerAt(k) {
  const { op, edge } = steps[k] ?? {};
  return (op ?? ops.get(edge?.op))?.scopes?.at(-1)[0];
}

/** Go to the next step, or the one before, at which a gradient arrives at a parameter. */
function jumpToParameter(direction) {
  jumpTo(direction, (k) => tensors.get(steps[k].edge?.tensor)?.kind === "parameter");
}

function jumpTo(direction, isWanted) {
  let k = position + direction;
  while (k > 0 && k < steps.length && !isWanted(k)) k += direction;
  if (k > 0 && k < steps.length) show(k);
}
