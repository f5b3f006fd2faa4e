// The legend: what shapes and colours mean. It stays where it is while the drawing moves, and can be closed.

/** The narrowest stage that it is open on from the start, in pixels. */
const ROOMY = 700;

function startLegend() {
  const entries = dataOf("entries", null);
  const place = find("legend");
  place.hidden = !entries;
  view.sized = () => (place.open = view.frame.width >= ROOMY);
  view.sized();
  if (entries) place.append(element("ul", {}, entries.map(legendRow)));
  addEventListener("beforeprint", () => (place.open = true));
  // What it covers is left free, unless the drawing needs the room.
  view.inset = () => (place.open ? place.getBoundingClientRect().right - stage.getBoundingClientRect().left : 0);
  view.makeRoom = () => {
    const wasOpen = place.open;
    place.open = false;
    return wasOpen;
  };
}

function legendRow({ text, face, dashed, lane }) {
  const isGradient = Boolean(lane) || text.includes("√") || text.startsWith("↑");
  const sample = face || lane ? shape("svg", { class: "graph", viewBox: "0 0 24 12", "aria-hidden": true }, sampleOf({ face, dashed, lane })) : "";
  return element("li", { class: [isGradient && !lane && "gradient", lane && "step"].filter(Boolean).join(" ") }, sample, text);
}

/** A small box, or a piece of a lane, in the colours of the drawing, which its style sheet darkens. */
function sampleOf({ face, dashed, lane }) {
  if (lane) return shape("path", { d: "M1,6H23", stroke: lane[0], "stroke-width": lane[1] });
  return shape("rect", { x: 1, y: 1, width: 22, height: 10, rx: 3, ...face, "stroke-dasharray": dashed ? "3 2" : null });
}
