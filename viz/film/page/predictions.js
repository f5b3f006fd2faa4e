// Predictions: what the model says of each of the kept images.

const said = reel.predictions;
const probabilities = said.probabilities && bytesOf(said.probabilities);

/** The most classes that have bars. */
const DRAWN = 40;

function startPredictions() {
  find("predictions").replaceChildren(...said.thumbnails.map(predictionCard));
  find("says-title").firstChild.textContent = said.classes.length ? "What it says " : "What it gives ";
}

function predictionCard(thumbnail, k) {
  const canvas = stillCanvas(thumbnail, imageName(k));
  const verdict = element("p", {});
  const drawn = said.classes.length <= DRAWN ? said.classes : [];
  const bars = drawn.map((name, c) => element("span", { class: c === said.targets?.[k] ? "target" : null, title: name }));
  const chart = element("div", { class: "bars", "aria-hidden": "true" }, bars);
  const card = element("div", { class: "said" }, canvas, verdict, drawn.length ? chart : "");
  movers.push((frame) => (said.classes.length ? showScores(card, verdict, bars, k, frame) : showOutputs(verdict, k, frame)));
  return card;
}

function scoresOf(k, frame) {
  const classes = said.classes.length;
  const start = (frame * said.thumbnails.length + k) * classes;
  return [...probabilities.subarray(start, start + classes)].map((byte) => byte / 255);
}

function winner(scores) {
  return scores.indexOf(Math.max(...scores));
}

function showScores(card, verdict, bars, k, frame) {
  const scores = scoresOf(k, frame);
  const best = winner(scores);
  const target = said.targets?.[k];
  const isRight = target === undefined || target === best;
  card.className = `said ${target === undefined ? "" : isRight ? "right" : "wrong"}`;
  const mark = target === undefined ? "" : isRight ? "✓ " : "✗ ";
  const answer = element("span", { class: "verdict" }, `${mark}${said.classes[best]}`);
  const sure = element("small", {}, ` ${percent(scores[best])}`);
  verdict.replaceChildren(answer, sure, isRight ? "" : element("small", {}, `; it is ${said.labels[k]}, ${percent(scores[target])}`));
  bars.forEach((bar, c) => (bar.style.height = `${Math.max(100 * scores[c], 2)}%`));
  Object.assign(card.dataset, { says: said.classes[best], share: scores[best] });
}

function showOutputs(verdict, k, frame) {
  const outputs = said.outputs[frame][k].map((value) => written(value)).join(", ");
  const wanted = said.labels[k] ? element("small", {}, ` wanted ${said.labels[k]}`) : "";
  verdict.replaceChildren(element("span", { class: "verdict" }, outputs), wanted);
}

/** `9 of 12 right`, in each frame. */
function showScore(frame) {
  if (!said.targets) return;
  const right = said.targets.filter((target, k) => winner(scoresOf(k, frame)) === target).length;
  find("score").textContent = `${right} of ${said.targets.length} right`;
}
