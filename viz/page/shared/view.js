// The view of the drawing: moved by dragging, zoomed by the wheel or by two fingers; on paper the whole of it.

const stage = find("stage");
const drawing = stage.querySelector("svg");
const world = shape("g", { id: "world" });

/**
 * Where the drawing is, the size of its stage, and how the page placed the drawing. A page may say what the drawing's
 * extent is, where from left to right it begins, what follows a move and the first size of the stage, how much of it
 * something at its left covers, and how to remove that.
 */
const view = {
  ...{ x: 0, y: 0, scale: 1, frame: { width: 0, height: 0 }, placed: null },
  extent: () => extentOf(world.getBBox()),
  beginning: () => middleOf(view.extent()),
  moved() {},
  sized() {},
  inset: () => 0,
  makeRoom: () => false,
};
const [SMALLEST, LEAST, LARGEST, READABLE] = [0.02, 0.6, 6, 1.35];
const MARGIN = 16;

function startView() {
  for (const name of ["width", "height", "viewBox"]) drawing.removeAttribute(name);
  world.append(...drawing.childNodes);
  drawing.append(world);
  stage.addEventListener("wheel", onWheel, { passive: false });
  stage.addEventListener("pointerdown", onPress);
  addEventListener("pointermove", onHold);
  for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, onRelease);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  new ResizeObserver(measureStage).observe(stage);
  measureStage();
}

/** The whole drawing; of a tall one, which would be too small, the top; of a wide one what is about its first part. */
function showBeginning() {
  fit();
  if (view.scale < 0.75) fitWidth();
  if (view.scale < LEAST && view.makeRoom()) return showBeginning();
  if (view.scale < LEAST) lookAt(view.beginning(), view.extent().top);
  placedBy(showBeginning);
}

/** This place of the drawing in a readable size, at the top and a third of the width from the left. */
function lookAt(x, y) {
  view.scale = LEAST;
  view.x = view.frame.width / 3 - LEAST * x;
  view.y = MARGIN - LEAST * y;
  showView();
}

/**
 * What the page has placed it places anew when the stage changes its size, unless the reader has moved it. `then` is how
 * it moved it afterwards.
 */
function placedBy(show, then = null) {
  view.placed = { show, then, x: view.x, y: view.y, scale: view.scale };
}

function isAsPlaced() {
  return view.placed && ["x", "y", "scale"].every((name) => view.placed[name] === view[name]);
}

/** A move by the page itself: what it has placed stays placed. */
function moveAsPlaced(move) {
  const show = isAsPlaced() && view.placed.show;
  move();
  if (show) placedBy(show, move);
}

/** A notebook makes the frame of a page before it shows it: the stage has its size only later. */
function measureStage() {
  const { placed, frame } = view;
  view.frame = { width: stage.clientWidth, height: stage.clientHeight };
  const resized = view.frame.width !== frame.width || view.frame.height !== frame.height;
  const printing = drawing.hasAttribute("viewBox");
  if (!resized || !view.frame.width || printing || !placed) return;
  if (!frame.width) view.sized();
  if (!isAsPlaced()) return view.moved();
  placed.show();
  if (placed.then) moveAsPlaced(placed.then);
}

function middleOf({ left, right }) {
  return (left + right) / 2;
}

function extentOf({ x, y, width, height }) {
  return { left: x, right: x + width, top: y, bottom: y + height };
}

function showView() {
  world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
  view.moved();
}

function fit() {
  measureStage();
  const { left, right, top, bottom } = view.extent();
  const { height } = view.frame;
  const scale = Math.min(across(right - left), (height - 2 * MARGIN) / (bottom - top), READABLE);
  view.scale = Math.max(scale, SMALLEST);
  center(left, right);
  view.y = (height - view.scale * (top + bottom)) / 2;
  placedBy(fit);
  showView();
}

/** The scale at which so much fits into the width of the stage. */
function across(size) {
  return (view.frame.width - view.inset() - 2 * MARGIN) / size;
}

/** Center from left to right; what is covered stays free. */
function center(left, right) {
  const start = Math.max((view.frame.width - view.scale * (right - left)) / 2, view.inset() + (view.inset() && MARGIN));
  view.x = start - view.scale * left;
}

function fitWidth() {
  const { left, right, top } = view.extent();
  view.scale = Math.min(across(right - left), 1);
  center(left, right);
  view.y = MARGIN - view.scale * top;
  showView();
}

/** Zoom so that the point (x, y) of the stage stays where it is. */
function zoom(factor, x = view.frame.width / 2, y = view.frame.height / 2) {
  const scale = Math.min(Math.max(view.scale * factor, SMALLEST), LARGEST);
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  showView();
}

function onWheel(event) {
  event.preventDefault();
  const frame = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - frame.x, event.clientY - frame.y);
}

/** The pointers that hold the drawing, by id, where they are on the stage: one drags, two zoom. */
const held = new Map();
let pressed = null;

function onPress(event) {
  if (event.button !== 0) return;
  pressed ??= pointOf(event);
  held.set(event.pointerId, pointOf(event));
}

function pointOf({ clientX, clientY }) {
  const frame = stage.getBoundingClientRect();
  return { x: clientX - frame.x, y: clientY - frame.y };
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** Drag or zoom the drawing; the click at the end of a drag does nothing. */
function onHold(event) {
  const before = held.get(event.pointerId);
  const now = pointOf(event);
  const isClick = held.size === 1 && distance(now, pressed) <= 4 && !stage.classList.contains("dragged");
  if (!before || isClick) return;
  stage.classList.add("dragged");
  held.set(event.pointerId, now);
  const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
  if (other) zoom(distance(now, other) / Math.max(distance(before, other), 1), other.x, other.y);
  else moveView(now.x - before.x, now.y - before.y);
}

function onRelease(event) {
  if (!held.delete(event.pointerId) || held.size) return;
  pressed = null;
  // After the click event.
  setTimeout(() => stage.classList.remove("dragged"));
}

function moveView(x, y) {
  view.x += x;
  view.y += y;
  showView();
}

/** On paper the whole drawing, as large as fits; afterwards the view that was there. */
function beforePrint() {
  world.removeAttribute("transform");
  const { x, y, width, height } = world.getBBox();
  drawing.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
}

function afterPrint() {
  drawing.removeAttribute("viewBox");
  showView();
}
