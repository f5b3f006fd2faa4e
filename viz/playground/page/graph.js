// The drawing: live numbers in its tensors and on its edges, and lanes as dark as the gradient is long.

const painters = [];

function startGraph() {
  for (const group of stage.querySelectorAll("g.tensor")) {
    const tensor = tensors.get(group.id.split("-")[0]);
    if (!tensor) continue;
    const spaces = [...group.querySelectorAll('polygon[fill="#fdfdfb" i]')];
    spaces.forEach((space, k) => painters.push(drawnGrid(tensor, space, k ? gradients : values)));
    if (!spaces.length) painters.push(plainNode(tensor, [...group.querySelectorAll("text")]));
  }
  for (const current of program.stages) {
    for (const port of current.ports) if (port.carries) startEdge(current, port);
    startLane(`edge-${current.op}-out`, tensors.get(current.output).slots, tensors.get(current.output).reached);
  }
}

/** A node of the plain layout, which has lines of text and no grids. */
function plainNode(tensor, [first, second]) {
  return () => {
    if (tensor.slots.length > 1) {
      if (second && tensor.reached) second.textContent = `${sizes(tensor.shape)} mean |grad| = ${number(meanSize(tensor.slots), 3)}`;
      return;
    }
    if (first) first.textContent = `${shorten(tensor.title, 24)} = ${number(values[tensor.slots[0]])}`;
    if (second && tensor.reached) second.textContent = `grad = ${number(gradients[tensor.slots[0]])}`;
  };
}

/** An edge: the number at the end of its rule, and the product of the chain rule in the small print. */
function startEdge(current, port) {
  const lines = [...(find(port.edge)?.querySelectorAll("text") ?? [])];
  const product = lines.findLast((text) => text.getAttribute("font-size") === "9.00") ?? lineAbove(lines[0]);
  if (product) painters.push(() => (product.textContent = flowOf(current, port)));
  const end = ` = ${port.local}`;
  const rule = lines.find((text) => text.textContent.trimEnd().endsWith(end));
  // A rule that is a number itself, such as ∂u/∂b = 1, stays as it is.
  if (rule && port.local && !port.rule.endsWith(end)) {
    const stated = rule.textContent.trimEnd().slice(0, -end.length);
    painters.push(() => (rule.textContent = `${stated} = ${number(localSlope(current, port.slots[0]))}`));
  }
  startLane(port.edge, port.slots, true);
}

/** A line of small print above the only one that the plain layout has. */
function lineAbove(text) {
  if (!text) return null;
  const above = text.cloneNode();
  above.setAttribute("y", Number(text.getAttribute("y")) - 11);
  above.setAttribute("font-size", 9);
  text.before(above);
  return above;
}

/** `0.79 × −3 = −2.4` between scalars; of arrays the mean absolute value, and its ratio to what arrived. */
function flowOf(current, { slots, summed }) {
  const upstream = tensors.get(current.output).slots;
  const prefix = summed.length ? `Σ over axes ${summed.join(", ")}, ` : "";
  if (slots.length === 1) {
    const gradient = number(gradients[slots[0]]);
    if (upstream.length > 1) return prefix + gradient;
    return `${number(gradients[upstream[0]])} × ${number(localSlope(current, slots[0]))} = ${gradient}`;
  }
  const [from, to] = [meanSize(upstream), meanSize(slots)];
  if (upstream.length !== slots.length || !(from > 0)) return `${prefix}mean |·| = ${number(to, 3)}`;
  return `${prefix}mean |·|: ${number(from, 3)} × ${number(to / from, 2)} = ${number(to, 3)}`;
}

/** The local derivative of an op between scalars: the sum over its uses, or where it takes several steps the quotient. */
function localSlope(current, slot) {
  const [output] = tensors.get(current.output).slots;
  const uses = usesOf(current, slot);
  if (uses.every(([to]) => to === output)) return uses.reduce((sum, [, slope]) => sum + slope, 0);
  return gradients[slot] / gradients[output];
}

/** Where a slot of a port goes in, within its op: the slots that are computed from it, with the local derivatives. */
function usesOf(current, slot) {
  return blocks.slice(current.first, current.last).flatMap((block) => [...block.uses(slot)]);
}

function meanSize(slots) {
  return slots.reduce((sum, slot) => sum + abs(gradients[slot]), 0) / slots.length;
}

// -------------------------------------------------------------------------------------------------------------- lanes

const lanes = [];

function startLane(id, slots, carries) {
  const parts = [...(find(id)?.querySelectorAll("path, polygon") ?? [])];
  const colored = parts.filter((part) => isLane(part.getAttribute("stroke")));
  if (carries && colored.length) lanes.push({ parts: colored, slots });
}

function isLane(color) {
  return [...program.lanes.decades, program.lanes.other, program.lanes.plain].includes(color?.toUpperCase());
}

/** Each lane by the length √Σ g² of its gradient, relative to the longest, in powers of ten. */
function paintLanes() {
  const lengths = lanes.map(({ slots }) => sqrt(slots.reduce((sum, slot) => sum + gradients[slot] ** 2, 0)));
  const longest = Math.max(...lengths.filter(Number.isFinite), 0);
  lanes.forEach(({ parts }, k) => {
    const { decades, other } = program.lanes;
    const level = lengths[k] > 0 ? Math.min(Math.floor(-log10(Math.min(lengths[k] / longest, 1))), decades.length - 1) : decades.length - 1;
    const color = Number.isFinite(lengths[k]) ? decades[level] : other;
    for (const part of parts) {
      part.setAttribute("stroke", color);
      if (part.tagName === "polygon") part.setAttribute("fill", color);
    }
  });
}

function paintGraph() {
  for (const paint of painters) paint();
  paintLanes();
}
