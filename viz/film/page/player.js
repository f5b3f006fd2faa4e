// The player: which frame is shown, and what keys, buttons and the slider do.

let now = 0;
let timer = null;

const KEYS = {
  ArrowRight: () => pauseAt(now + 1),
  ArrowLeft: () => pauseAt(now - 1),
  PageDown: () => pauseAt(now + 10),
  PageUp: () => pauseAt(now - 10),
  Home: () => pauseAt(0),
  End: () => pauseAt(frames - 1),
  " ": togglePlay,
};

/** Go to a frame; a number out of range means the first or the last. */
function show(frame) {
  now = Math.min(Math.max(frame, 0), frames - 1);
  for (const strip of strips) drawStrip(strip);
  for (const move of movers) move(now);
  showScore(now);
  const loss = reel.frame_losses[now];
  const text = `step ${reel.steps[now].toLocaleString("en")}${loss === null ? ", before training" : `, loss ${written(loss, 4)}`}`;
  find("now").textContent = text;
  find("slider").value = now;
  find("slider").setAttribute("aria-valuetext", text);
  Object.assign(document.body.dataset, { frame: now, step: reel.steps[now] });
}

function pauseAt(frame) {
  pause();
  show(frame);
}

function pause() {
  clearInterval(timer);
  timer = null;
  find("play").textContent = "▶";
  find("play").setAttribute("aria-label", "Play");
}

function togglePlay() {
  if (timer !== null) return pause();
  if (now === frames - 1) show(0);
  timer = setInterval(() => (now === frames - 1 ? pause() : show(now + 1)), 1000 / Number(find("speed").value));
  find("play").textContent = "⏸";
  find("play").setAttribute("aria-label", "Pause");
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("select")) return;
  if (event.key === " " && event.target.closest?.("button")) return; // the button's own
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function start() {
  const parameters = reel.tracks.reduce((sum, track) => sum + track.parameters, 0);
  find("facts").textContent = `${reel.tracks.length} layers, ${parameters.toLocaleString("en")} parameters, ${frames} frames of ${lastStep.toLocaleString("en")} steps`;
  find("slider").max = frames - 1;
  startLayers();
  startCharts();
  startPredictions();
  addEventListener("keydown", onKey);
  find("slider").addEventListener("input", (event) => pauseAt(Number(event.target.value)));
  find("speed").addEventListener("change", () => timer !== null && (pause(), togglePlay()));
  const buttons = { first: KEYS.Home, previous: KEYS.ArrowLeft, play: togglePlay, next: KEYS.ArrowRight, last: KEYS.End };
  for (const [id, action] of Object.entries(buttons)) find(id).addEventListener("click", action);
  show(0);
}

start();
