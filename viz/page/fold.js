// Folding of modules without a new layout: heights that nothing uses any more are removed from the drawing.

let folded = new Set();

/** What the modules that are folded now do: which lids hide which nodes, and the heights of all the rest. */
const folding = { hidden: new Map(), move: (y) => y, isFlat: true, number: 0 };

function startFolding() {
  layers.still.append(...layout.still.map(({ at, shape: still }) => shape("g", move(...at), elementOf(still))));
  arrange();
}

function toggle(module) {
  if (!folded.delete(module)) folded.add(module);
  arrange();
}

/** Fold or open all modules: each under its lid, or in a layout of its own where there is one; whether there is. */
function foldAll() {
  const other = { ...shownView, folded: !shownView.folded };
  if (hasView(other)) {
    openView(other);
    return true;
  }
  const open = modules.filter((module) => !folded.has(module));
  folded.clear();
  if (open.length) modules.forEach((module) => folded.add(module));
  arrange();
  return false;
}

/** The folded module that hides a node, the outermost where they are nested; undefined for a visible node. */
function hiddenBy(id) {
  return folding.hidden.get(id);
}

function outermost() {
  return [...folded].filter((module) => ![...folded].some((other) => isWithin(module, other)));
}

/** Find the place of everything for the modules that are folded now. */
function arrange() {
  const closed = outermost();
  const hidden = new Map(closed.flatMap((module) => [...module.inside].map((id) => [id, module])));
  const visible = modules.filter((module) => !closed.some((other) => other === module || isWithin(module, other)));
  Object.assign(folding, { hidden, isFlat: closed.length === 0, number: folding.number + 1 });
  folding.move = folding.isFlat ? (y) => y : heights(closed, visible);
  for (const node of parts.nodes.values()) placeNode(node);
  for (const edge of parts.edges.values()) placeEdge(edge);
  for (const module of modules) placeModule(module, closed.includes(module), visible.includes(module));
  const isOpen = !shownView.folded && (folded.size < modules.length || hasView({ ...shownView, folded: true }));
  find("fold-all").textContent = isOpen ? "Fold all" : "Unfold all";
  find("fold-all").hidden = modules.length === 0 && !hasView({ ...shownView, folded: !shownView.folded });
  showParts();
}

function placeNode(node) {
  node.isHidden = folding.hidden.has(node.id);
  const shift = folding.move((node.top + node.bottom) / 2) - (node.top + node.bottom) / 2;
  node.placed = { left: node.left, right: node.right, top: node.top + shift, bottom: node.bottom + shift };
}

/** An edge within a folded module is hidden. */
function placeEdge(edge) {
  const [from, to] = edge.ends.map((id) => folding.hidden.get(id));
  edge.isHidden = from !== undefined && from === to;
  edge.placed = moved(edge);
}

function placeModule(module, isClosed, isVisible) {
  for (const frame of module.frames) {
    frame.isHidden = !isVisible;
    frame.placed = moved(frame);
  }
  module.lid.isHidden = !isClosed;
  module.lid.placed = isClosed ? { ...moved(module), ...(module.span ??= spanOf(module)) } : moved(module);
}

function moved({ left, right, top, bottom }) {
  return { left, right, top: folding.move(top), bottom: folding.move(bottom) };
}

/** The map from heights as laid out to heights now: it increases, but is constant where folding left nothing to see. */
function heights(closed, visible) {
  const nodes = [...parts.nodes.values()].filter((node) => !folding.hidden.has(node.id));
  const drawn = [...parts.edges.values()].filter(({ ends }) => !ends.some((id) => folding.hidden.has(id)));
  const labels = drawn.flatMap(({ labels }) => labels.map(([, top, , bottom]) => ({ top, bottom })));
  // Of a folded module the top and the bottom are kept: edges into it end between them, in its middle.
  const tops = [...closed, ...visible].map(({ top, half }) => ({ top, bottom: top + half }));
  const feet = [...closed, ...visible].map(({ bottom, half }) => ({ top: bottom - half, bottom }));
  const kept = [...nodes, ...labels, ...tops, ...feet];
  const ends = [...closed.flatMap((box) => endsOf(box, 1, 0)), ...kept.flatMap((box) => endsOf(box, 0, 1))];
  ends.sort((a, b) => a.y - b.y);
  const losses = new Float64Array(ends.length);
  let [lost, shut, seen] = [0, 0, 0];
  ends.forEach((end, k) => {
    if (k && shut && !seen) lost += end.y - ends[k - 1].y;
    losses[k] = lost;
    shut += end.closed;
    seen += end.kept;
  });
  const knots = Float64Array.from(ends, ({ y }) => y);
  return (y) => y - interpolate(knots, losses, y);
}

/** Where a box begins and ends, and how many closed modules and visible parts there are more from there on. */
function endsOf({ top, bottom }, closed, kept) {
  return [{ y: top, closed, kept }, { y: bottom, closed: -closed, kept: -kept }];
}

/** Piecewise linear through the knots, constant beyond them. */
function interpolate(knots, values, y) {
  let [low, high] = [0, knots.length - 1];
  if (high < 0 || y <= knots[0]) return 0;
  if (y >= knots[high]) return values[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle] <= y) low = middle;
    else high = middle;
  }
  return values[low] + ((values[high] - values[low]) * (y - knots[low])) / (knots[high] - knots[low]);
}
