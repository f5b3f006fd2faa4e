// Events: what keys, clicks and buttons do.

const KEYS = {
  ArrowRight: () => show(position + 1),
  ArrowLeft: () => show(position - 1),
  Home: () => show(0),
  End: () => show(steps.length - 1),
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
  0: fit,
  " ": togglePlay,
  l: () => jumpToLayer(1),
  L: () => jumpToLayer(-1),
  p: () => jumpToParameter(1),
  P: () => jumpToParameter(-1),
  f: foldAndShow,
  c: toggleCompact,
  n: () => visitProblem(1),
  N: () => visitProblem(-1),
  d: visitDifference,
  "/": () => find("search").focus(),
  Escape: closeDetails,
};

function foldAndShow() {
  const focused = drawing.contains(document.activeElement) ? route[reached] : null;
  if (foldAll()) return;
  show(position);
  if (focused) focusPart(focused);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === find("search")) return onSearchKey(event);
  if (event.key === " " && event.target.closest("button, input, summary")) return;
  if (stage.contains(event.target) && onStageKey(event)) return;
  const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

function onSearchKey(event) {
  if (event.key === "Enter") visit(event.shiftKey ? -1 : 1);
  if (event.key !== "Escape") return;
  const found = matches[visited]?.id;
  find("search").value = "";
  search("");
  stage.focus();
  if (found) focusPart(found);
}

/** The action of a click on a part of the drawing. */
function choose(target) {
  const group = target.closest("g.node, g.edge, g.cluster, g.folded");
  const part = group && [...present].find((part) => part.group === group);
  if (!part) return;
  if (layout.boxes?.[part.id]) return openBox(part.id);
  if (!part.module) return openDetails(part.id);
  // Of an open module only the title: its area is for dragging.
  if (part.kind === "cluster" && target.matches("path, polygon")) return;
  toggle(part.module);
  show(position);
  focusPart(part.module.id);
}

function onStageClick(event) {
  if (!stage.classList.contains("dragged")) choose(event.target);
}

/** A click on the name of another part of the graph. */
function onLinkClick(event) {
  const id = event.target.closest("[data-show]")?.dataset.show;
  if (!id) return;
  openDetails(id);
  const place = placeOf(id);
  if (place) reveal(place);
}

function start() {
  const subject = outputs.length ? shorten(outputs.map((id) => title(tensors.get(id))).join(", ")) : "a failed computation";
  document.title = `The chain rule: ${subject}`;
  startView();
  startLegend();
  const begin = stage.dataset.view.split(" ");
  useView({ compact: begin.includes("compact"), folded: begin.includes("folded") });
  startScene();
  startMinimap();
  startKeyboard();
  showBeginning();
  startComparison();
  startStepper();
  startTravel();
  startProblems();
  addEventListener("keydown", onKey);
  stage.addEventListener("click", onStageClick);
  document.querySelector("aside").addEventListener("click", onLinkClick);
  find("search").addEventListener("input", (event) => search(event.target.value));
  find("slider").addEventListener("input", (event) => show(Number(event.target.value)));
  const buttons = { first: KEYS.Home, previous: KEYS.ArrowLeft, next: KEYS.ArrowRight, last: KEYS.End };
  Object.assign(buttons, { "fold-all": foldAndShow, compact: toggleCompact, "zoom-in": KEYS["+"], "zoom-out": KEYS["-"], fit });
  for (const [id, action] of Object.entries(buttons)) find(id).addEventListener("click", action);
}

start();
