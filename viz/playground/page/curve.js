// The loss over the chosen number, with the tangent whose slope is the gradient; and over the steps of a descent.

const [CURVE_WIDTH, CURVE_HEIGHT, POINTS] = [300, 130, 60];

/** What the curve was drawn for: all numbers but the chosen one. */
const drawnCurve = { key: "", points: [] };

function paintCurve() {
  const { tensor, element: k } = chosen;
  find("curve").replaceChildren();
  if (!tensor?.free) return;
  const slot = tensor.slots[k];
  const points = curvePoints(slot);
  const isMoved = base.by === slot;
  const at = isMoved ? base : { values, gradients, loss: values[program.loss] };
  const [low, high] = [points[0][0], points.at(-1)[0]];
  const known = points.map(([, loss]) => loss).filter(Number.isFinite);
  if (!known.length) return;
  let [bottom, top] = [Math.min(...known), Math.max(...known)];
  const spread = top - bottom || 1;
  [bottom, top] = [bottom - 0.08 * spread, top + 0.08 * spread];
  const x = (value) => 8 + ((value - low) / (high - low)) * (CURVE_WIDTH - 16);
  const y = (loss) => 6 + ((top - loss) / (top - bottom)) * (CURVE_HEIGHT - 24);
  const line = (list) => `M${list.map(([value, loss]) => `${x(value).toFixed(1)} ${y(loss).toFixed(1)}`).join("L")}`;
  const tangent = (value) => at.loss + at.gradients[slot] * (value - at.values[slot]);
  const name = elementName(tensor, k);
  const label = `${program.name} over ${name}, from ${number(low, 3)} to ${number(high, 3)}${tensor.trained ? ", with its tangent" : ""}`;
  const svg = shape("svg", { viewBox: `0 0 ${CURVE_WIDTH} ${CURVE_HEIGHT}`, role: "img", "aria-label": label });
  svg.append(shape("path", { class: "loss-curve", d: line(points.filter(([, loss]) => Number.isFinite(loss))) }));
  const [now, loss] = [values[slot], values[program.loss]];
  if (tensor.trained) {
    svg.append(shape("path", { class: "tangent", d: line([[low, tangent(low)], [high, tangent(high)]]) }));
    svg.append(shape("path", { class: "rest", d: line([[now, tangent(now)], [now, loss]]) }));
    svg.append(shape("circle", { class: "from", cx: x(at.values[slot]), cy: y(at.loss), r: 3 }));
  }
  svg.append(shape("circle", { class: "now", cx: x(now), cy: y(loss), r: 4.5 }));
  svg.append(shape("text", { x: 8, y: CURVE_HEIGHT - 4 }, number(low, 3)), shape("text", { x: CURVE_WIDTH - 8, y: CURVE_HEIGHT - 4, class: "end" }, number(high, 3)));
  const clipped = element("figcaption", {}, `${program.name} over ${name}`, tensor.trained ? "; the tangent has the slope of the gradient" : "");
  find("curve").append(svg, clipped);
}

/** The loss over the steps of gradient descent. */
function paintHistory() {
  const known = losses.filter(Number.isFinite);
  find("history").hidden = losses.length < 2 || !known.length;
  if (find("history").hidden) return;
  const [low, high] = [Math.min(0, ...known), Math.max(...known)];
  const [width, height] = [CURVE_WIDTH, 56];
  const points = losses.map((loss, k) => [8 + ((width - 16) * k) / (losses.length - 1), height - 4 - ((loss - low) / (high - low || 1)) * (height - 10)]);
  const path = points.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  const label = `${program.name} over the steps: from ${number(losses[0])} to ${number(losses.at(-1))}`;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, shape("path", { class: "loss-curve", d: `M${path}` }));
  find("history").replaceChildren(svg, element("figcaption", {}, `${label}`));
}

/** The loss at some values of a slot, everything else as it is. */
function curvePoints(slot) {
  const now = values[slot];
  const [low, high] = rangeOf(slot);
  const others = free.flatMap(({ slots }) => [...slots]).map((other) => (other === slot ? `${low} ${high}` : values[other])).join();
  const key = `${slot}: ${others}`;
  if (drawnCurve.key === key) return drawnCurve.points;
  const points = Array.from({ length: POINTS + 1 }, (_, k) => {
    values[slot] = low + ((high - low) * k) / POINTS;
    return [values[slot], forward()];
  });
  values[slot] = now;
  forward();
  return Object.assign(drawnCurve, { key, points }).points;
}
