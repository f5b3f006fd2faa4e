// The view of the drawing: moved by dragging, zoomed by the wheel.

const stage = find("stage");
const drawing = stage.querySelector("svg");
const world = shape("g", { id: "world" });
const view = { x: 0, y: 0, scale: 1 };
const [SMALLEST, LARGEST, READABLE] = [0.02, 6, 1.35];
const MARGIN = 16;

function startView() {
  for (const name of ["width", "height", "viewBox"]) drawing.removeAttribute(name);
  world.append(...drawing.childNodes);
  drawing.append(world);
  stage.addEventListener("wheel", onWheel, { passive: false });
  stage.addEventListener("pointerdown", onPress);
  fit();
  // A tall graph would be too small: show its top.
  if (view.scale < 0.75) fitWidth();
}

function showView() {
  world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
}

function fit() {
  const box = world.getBBox();
  const { clientWidth: width, clientHeight: height } = stage;
  const scale = Math.min((width - 2 * MARGIN) / box.width, (height - 2 * MARGIN) / box.height, READABLE);
  view.scale = Math.max(scale, SMALLEST);
  view.x = width / 2 - view.scale * (box.x + box.width / 2);
  view.y = height / 2 - view.scale * (box.y + box.height / 2);
  showView();
}

function fitWidth() {
  const box = world.getBBox();
  view.scale = Math.min((stage.clientWidth - 2 * MARGIN) / box.width, 1);
  view.x = stage.clientWidth / 2 - view.scale * (box.x + box.width / 2);
  view.y = MARGIN - view.scale * box.y;
  showView();
}

/** Zoom so that the point (x, y) of the stage stays where it is. */
function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
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

/** Drag the drawing; the click at the end of a drag does nothing. */
function onPress(press) {
  if (press.button !== 0) return;
  const from = { x: press.clientX - view.x, y: press.clientY - view.y };
  let moved = false;
  const move = (event) => {
    moved ||= Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY) > 4;
    if (!moved) return;
    stage.classList.add("dragged");
    Object.assign(view, { x: event.clientX - from.x, y: event.clientY - from.y });
    showView();
  };
  const release = () => {
    removeEventListener("pointermove", move);
    // After the click event.
    setTimeout(() => stage.classList.remove("dragged"));
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", release, { once: true });
}

/** Move a part of the drawing into the view; nothing moves if it is visible already. */
function reveal(part) {
  const [frame, box] = [stage.getBoundingClientRect(), part.getBoundingClientRect()];
  view.x += shiftInto(box.left, box.right, frame.left, frame.right);
  view.y += shiftInto(box.top, box.bottom, frame.top, frame.bottom);
  showView();
}

function shiftInto(low, high, from, to) {
  const margin = Math.min(60, (to - from) / 6);
  const fits = low >= from + margin && high <= to - margin;
  return fits ? 0 : (from + to) / 2 - (low + high) / 2;
}
