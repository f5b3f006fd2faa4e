// The first layers: their filters, and what they find in one of the kept images.

const chosen = { image: reel.pictures.find(({ image }) => image !== null)?.image ?? null };

function startLayers() {
  const names = [...new Set(reel.pictures.map(({ layer }) => layer))];
  find("layers").replaceChildren(...names.map(layerCard));
  if (!names.length) find("layers").append("This model has no layer with filters.");
  const images = [...new Set(reel.pictures.map(({ image }) => image))].filter((image) => image !== null);
  if (images.length > 1) find("chooser").replaceChildren("feature maps of ", ...images.map(chooserButton));
  chooseImage(chosen.image);
}

function layerCard(name) {
  const pictures = reel.pictures.filter(({ layer }) => layer === name);
  const track = reel.tracks.find((track) => track.name === name);
  const about = [track.kind, `${track.parameters.toLocaleString("en")} parameters`].filter(Boolean).join(", ");
  const heading = element("h3", {}, `${name} `, element("small", {}, about));
  return element("div", { class: "layer" }, heading, element("div", { class: "shown" }, pictures.map(figureOf)));
}

function figureOf(picture) {
  const { layer, image, caption } = picture;
  const what = image === null ? `filters of ${layer}` : `${layer} of image ${image + 1}`;
  const text = image === null ? caption : `${caption}, for ${imageName(image)}`;
  const canvas = stripCanvas(picture, `${what}: ${caption}`, 400);
  const attributes = { "data-layer": layer, "data-image": image };
  return element("figure", attributes, canvas, element("figcaption", {}, text, scaleOf(picture)));
}

function imageName(image) {
  const label = reel.predictions.labels[image];
  return label && reel.predictions.classes.length ? `image ${image + 1}, a “${label}”` : `image ${image + 1}`;
}

function chooserButton(image) {
  const thumbnail = stillCanvas(reel.predictions.thumbnails[image], imageName(image));
  const button = element("button", { "data-image": image, "aria-label": `feature maps of ${imageName(image)}` }, thumbnail);
  button.addEventListener("click", () => chooseImage(image));
  return button;
}

function chooseImage(image) {
  chosen.image = image;
  for (const figure of find("layers").querySelectorAll("[data-image]")) figure.hidden = Number(figure.dataset.image) !== image;
  for (const button of find("chooser").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", Number(button.dataset.image) === image);
  }
}
