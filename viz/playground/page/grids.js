// Grids: the elements of a tensor as cells, coloured by their numbers; in the drawing and in the panel.

const NOT_FINITE = [139, 26, 107];

/** Blue below 0, vermilion above; the largest of the grid has the strongest colour, a number alone has none. */
function colorOf(value, largest) {
  if (!Number.isFinite(value)) return `rgb(${NOT_FINITE})`;
  const part = largest ? Math.min(abs(value) / largest, 1) * 0.6 : 0;
  return `rgb(${mix(WHITE, value > 0 ? VERMILION : BLUE, part)})`;
}

function largestOf(numbers, slots) {
  if (slots.length === 1) return 0;
  return slots.reduce((most, slot) => (Number.isFinite(numbers[slot]) ? Math.max(most, abs(numbers[slot])) : most), 0);
}

/** Whether a cell has to show something else than it does: most cells of a large graph don't change. */
function isNews(cell, ...shown) {
  if (cell.shown?.every((before, k) => Object.is(before, shown[k]))) return false;
  cell.shown = shown;
  return true;
}

/** `w[0, 1]`; the name alone of a scalar. */
function elementName(tensor, element) {
  if (!tensor.shape.length) return tensor.title;
  const index = [];
  for (const size of tensor.shape.toReversed()) {
    index.unshift(element % size);
    element = Math.floor(element / size);
  }
  return `${tensor.title}[${index.join(", ")}]`;
}

/** A number in less than eight characters, as wide as a cell. */
function fitted(value) {
  const texts = [number(value, 3), number(value, 2), value.toExponential(0).replaceAll("-", "−")];
  return texts.find((text) => text.length < 8) ?? texts[2];
}

/** The pointer pressed on a cell of a free tensor: its number follows sideways. */
function dragNumber(press, tensor, element) {
  if (press.button !== 0) return;
  press.stopPropagation();
  choose(tensor, element);
  if (!tensor.free) return;
  const slot = tensor.slots[element];
  const [start, perPixel] = [values[slot], Math.max(2 * abs(recorded[slot]), 1) / 100];
  const move = (event) => {
    if (abs(event.clientX - press.clientX) > 2 || values[slot] !== start) {
      setNumber(tensor, element, Number((start + (event.clientX - press.clientX) * perPixel).toPrecision(6)));
    }
  };
  addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => removeEventListener("pointermove", move), { once: true });
}

/** The wheel over the chosen cell changes its number; elsewhere it does what it always does. */
function wheelNumber(event, tensor, element) {
  if (!tensor.free || chosen.tensor !== tensor || chosen.element !== element) return;
  event.preventDefault();
  event.stopPropagation();
  nudge(tensor, element, event.deltaY < 0 ? 1 : -1);
}

// ------------------------------------------------------------------------------------------------------- in the panel

/** A tensor as a grid of buttons, one of which can be reached with the tab key; and what paints it. */
function panelGrid(tensor) {
  const { rows, columns, places } = tensor.grid;
  const isWide = columns <= 6;
  const cells = [...tensor.slots].map((_, element) => cellButton(tensor, element));
  const byPlace = new Map(places.map((place, element) => [place, element]));
  const lines = Array.from({ length: rows }, (_, row) => {
    const inRow = Array.from({ length: columns }, (_, column) => cells[byPlace.get(row * columns + column)]);
    return element("div", { role: "row" }, inRow.map((cell) => element("span", { role: "gridcell" }, cell)));
  });
  const grid = element("div", { role: "grid", class: `grid ${isWide ? "wide" : "narrow"}`, "aria-label": tensor.title, style: `--columns:${columns}` }, lines);
  grid.addEventListener("keydown", (event) => onGridKey(event, tensor, cells, byPlace));
  const paint = () => {
    const largest = largestOf(values, tensor.slots);
    cells.forEach((cell, k) => {
      const value = values[tensor.slots[k]];
      const isChosen = chosen.tensor === tensor && chosen.element === k;
      if (!isNews(cell, value, largest, isChosen, chosen.tensor === tensor)) return;
      if (isWide) cell.textContent = fitted(value);
      cell.style.background = colorOf(value, largest);
      cell.setAttribute("aria-label", `${elementName(tensor, k)} = ${number(value)}`);
      cell.setAttribute("aria-pressed", isChosen);
      cell.tabIndex = isChosen || (chosen.tensor !== tensor && k === 0) ? 0 : -1;
    });
  };
  return [grid, paint];
}

function cellButton(tensor, k) {
  const cell = element("button", { type: "button" });
  cell.addEventListener("pointerdown", (event) => dragNumber(event, tensor, k));
  cell.addEventListener("click", () => choose(tensor, k));
  cell.addEventListener("wheel", (event) => wheelNumber(event, tensor, k), { passive: false });
  return cell;
}

/** Arrow keys go to the next cell, + and − change its number, Enter goes to the box for it. */
function onGridKey(event, tensor, cells, byPlace) {
  const from = cells.indexOf(event.target);
  const { rows, columns, places } = tensor.grid;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  if (event.key in steps) {
    event.preventDefault();
    let place = places[from] + steps[event.key];
    while (place >= 0 && place < rows * columns && !byPlace.has(place)) place += steps[event.key];
    if (!byPlace.has(place)) return;
    choose(tensor, byPlace.get(place));
    cells[byPlace.get(place)].focus();
  } else if ("+=-−".includes(event.key)) {
    event.preventDefault();
    nudge(tensor, from, "+=".includes(event.key) ? 1 : -1);
  } else if (event.key === "Enter") {
    event.preventDefault();
    choose(tensor, from);
    find("box").focus();
  }
}

// ------------------------------------------------------------------------------------------------------ in the drawing

/** Cells in place of a polygon of the drawing; returns what paints them with the numbers. */
function drawnGrid(tensor, polygon, numbers) {
  const points = polygon.getAttribute("points").trim().split(/\s+/).map((point) => point.split(",").map(Number));
  const [left, top] = [Math.min(...points.map(([x]) => x)), Math.min(...points.map(([, y]) => y))];
  const [width, height] = [Math.max(...points.map(([x]) => x)) - left, Math.max(...points.map(([, y]) => y)) - top];
  const { rows, columns, places, cell } = tensor.grid;
  const [w, h] = [width / columns, height / rows];
  const hasDigits = cell[0] > cell[1];
  const cells = places.map((place, k) => {
    const [x, y] = [left + (place % columns) * w, top + Math.floor(place / columns) * h];
    const rect = shape("rect", { x, y, width: w, height: h });
    const text = hasDigits ? shape("text", { x: x + w / 2, y: y + h / 2 + 3.2 }) : null;
    const tip = shape("title");
    const group = shape("g", { class: `cell ${tensor.free && numbers === values ? "free" : ""}` }, rect, text, tip);
    const name = `${numbers === values ? "" : `∂${program.name}/∂`}${elementName(tensor, k)}`;
    group.addEventListener("pointerenter", () => (tip.textContent = `${name} = ${number(numbers[tensor.slots[k]])}`));
    group.addEventListener("pointerdown", (event) => dragNumber(event, tensor, k));
    group.addEventListener("wheel", (event) => wheelNumber(event, tensor, k), { passive: false });
    return { group, rect, text };
  });
  polygon.replaceWith(shape("g", { class: "cells" }, cells.map(({ group }) => group)));
  return () => {
    const largest = largestOf(numbers, tensor.slots);
    cells.forEach((cell, k) => {
      const value = numbers[tensor.slots[k]];
      const isChosen = chosen.tensor === tensor && chosen.element === k;
      if (!isNews(cell, value, largest, isChosen)) return;
      cell.rect.setAttribute("fill", colorOf(value, largest));
      if (cell.text) cell.text.textContent = fitted(value);
      cell.group.classList.toggle("chosen", isChosen);
    });
  };
}
