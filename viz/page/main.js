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
  f: foldAndShow,
  d: visitDifference,
  "/": () => find("search").focus(),
  Escape: hideDetails,
};

function foldAndShow() {
  foldAll();
  show(position);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === find("search")) return onSearchKey(event);
  if ((event.key === "Enter" || event.key === " ") && event.target.closest(".node, .edge, .cluster, .folded")) {
    event.preventDefault();
    return choose(event.target);
  }
  const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

function onSearchKey(event) {
  if (event.key === "Enter") visit(event.shiftKey ? -1 : 1);
  if (event.key !== "Escape") return;
  find("search").value = "";
  search("");
  stage.focus();
}

/** The action of a click on a part of the drawing. */
function choose(target) {
  const module = parts.modules.find(({ group, closed }) => group.contains(target) || closed.contains(target));
  // Of an open module only the title: its area is for dragging.
  if (module && !target.matches("path, polygon")) {
    toggle(module);
    return show(position);
  }
  const group = target.closest("g.node, g.edge");
  if (group) showDetails(group.id);
}

function onStageClick(event) {
  if (!stage.classList.contains("dragged")) choose(event.target);
}

/** A click on the name of another part of the graph. */
function onLinkClick(event) {
  const id = event.target.closest("[data-show]")?.dataset.show;
  if (!id) return;
  showDetails(id);
  const place = placeOf(id);
  if (place) reveal(place);
}

/** Nodes and modules can be reached with the tab key, and have labels for screen readers. */
function nameParts() {
  for (const [id, { group }] of parts.nodes) {
    const record = tensors.get(id) ?? ops.get(id);
    if (record) giveRole(group, tensors.has(id) ? title(record) : record.name);
  }
  for (const { group, closed, text } of parts.modules) {
    for (const box of [group, closed]) giveRole(box, `module ${text}`);
  }
}

function giveRole(group, label) {
  group.setAttribute("tabindex", 0);
  group.setAttribute("role", "button");
  group.setAttribute("aria-label", shorten(label, 80));
}

function start() {
  const subject = outputs.length ? shorten(outputs.map((id) => title(tensors.get(id))).join(", ")) : "a failed computation";
  document.title = `The chain rule: ${subject}`;
  startFolding();
  startView();
  nameParts();
  startComparison();
  startStepper();
  addEventListener("keydown", onKey);
  stage.addEventListener("click", onStageClick);
  document.querySelector("aside").addEventListener("click", onLinkClick);
  find("search").addEventListener("input", (event) => search(event.target.value));
  find("slider").addEventListener("input", (event) => show(Number(event.target.value)));
  const buttons = { first: KEYS.Home, previous: KEYS.ArrowLeft, next: KEYS.ArrowRight, last: KEYS.End };
  Object.assign(buttons, { "fold-all": foldAndShow, "zoom-in": KEYS["+"], "zoom-out": KEYS["-"], fit });
  for (const [id, action] of Object.entries(buttons)) find(id).addEventListener("click", action);
}

start();
