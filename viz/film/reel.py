"""All that a film shows, as plain data: series of numbers, strips of pictures, predictions."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tensorgrad.viz.film.frame import Camera, Frame
from tensorgrad.viz.film.strip import Strip, plain_png, strip
from tensorgrad.viz.format import theme

POINTS = 2000
"""The most points of the loss curve: of more, every n-th is drawn."""

THUMBNAIL = 64
"""The largest side of a thumbnail."""

Series = list[float | None]


@dataclass(frozen=True)
class Track:
    """The numbers of one layer, per frame; None where they aren't known or aren't finite.

    Attributes:
        name: of the layer.
        kind: its class.
        parameters: how many numbers its parameters hold.
        gradients: ‖∂L/∂w‖.
        updates: ‖Δw‖ of one step.
        ratios: ‖Δw‖ / ‖w‖.
    """

    name: str
    kind: str
    parameters: int
    gradients: Series
    updates: Series
    ratios: Series


@dataclass(frozen=True)
class Picture:
    """A picture of a layer in all frames.

    Attributes:
        layer: the name of the layer.
        kind: its class.
        image: the index of the image whose feature maps these are; None for filters.
        caption: what it shows.
        strip: the pixels.
    """

    layer: str
    kind: str
    image: int | None
    caption: str
    strip: Strip


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of an image: `(h, w, 1)` grey, or `(h, w, 3)` in colours, uint8."""

    pixels: np.ndarray

    def to_dict(self) -> dict[str, object]:
        """The picture for the page."""
        height, width, _ = self.pixels.shape
        return {"width": width, "height": height, "png": base64.b64encode(plain_png(self.pixels)).decode()}


@dataclass(frozen=True)
class Predictions:
    """What the model says of the kept images.

    Attributes:
        thumbnails: the images, on one scale; of vectors and signals, whose elements stand side by side.
        labels: of the images, as text; "" without.
        classes: the names of the classes; none where the outputs aren't scores of classes.
        targets: the class indices; None where they aren't known.
        scores: `(F, K, C)`: probabilities from 0 to 1, or the first few outputs as they are.
    """

    thumbnails: tuple[Thumbnail, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    targets: tuple[int, ...] | None
    scores: np.ndarray


@dataclass(frozen=True)
class Reel:
    """A film as plain data.

    Attributes:
        steps: per frame the number of steps done.
        losses: the steps and the loss of each, thinned out.
        frame_losses: the loss at each frame.
        tracks: the numbers of each layer.
        pictures: filters and feature maps, layer by layer.
        predictions: of the kept images.
    """

    steps: tuple[int, ...]
    losses: tuple[tuple[int, float | None], ...]
    frame_losses: tuple[float | None, ...]
    tracks: tuple[Track, ...]
    pictures: tuple[Picture, ...]
    predictions: Predictions

    @classmethod
    def of(
        cls,
        frames: Sequence[Frame],
        losses: Sequence[tuple[int, float]],
        camera: Camera,
        targets: np.ndarray | None,
        classes: Sequence[str],
    ) -> Reel:
        """The film of these frames."""
        tracks = tuple(
            Track(
                layer.name,
                layer.kind,
                sum(p.numel() for p in layer.parameters),
                [_known(frame.gradients[k]) for frame in frames],
                [_known(frame.updates[k]) for frame in frames],
                [_ratio(frame.updates[k], frame.weights[k]) for frame in frames],
            )
            for k, layer in enumerate(camera.layers)
        )
        at = dict(losses)
        thinned = losses[:: math.ceil(len(losses) / POINTS) or 1]
        return cls(
            tuple(frame.step for frame in frames),
            tuple((step, _known(loss)) for step, loss in thinned),
            tuple(_known(at.get(frame.step)) for frame in frames),
            tracks,
            tuple(_pictures(frames, camera)),
            _predictions(frames, camera, targets, classes),
        )


def _pictures(frames: Sequence[Frame], camera: Camera) -> list[Picture]:
    """The strips, in the order of the layers: filters first, then the maps of each image."""
    kinds = {layer.name: layer.kind for layer in camera.layers}
    found = []
    for key in frames[0].pictures:
        layer, what = key
        if all(key in frame.pictures for frame in frames):
            image = None if what == "filters" else int(what.removeprefix("maps "))
            # Filters on one scale, so that they are seen to grow; of maps the pattern matters, which is pale at first.
            pictures = [frame.pictures[key] for frame in frames]
            pixels = strip(pictures, signed=image is None, each=image is not None)
            found.append(Picture(layer, kinds[layer], image, camera.captions[key], pixels))
    return found


# --------------------------------------------------------------------------------------------------------- predictions


def _predictions(
    frames: Sequence[Frame], camera: Camera, targets: np.ndarray | None, classes: Sequence[str]
) -> Predictions:
    outputs = np.stack([frame.outputs for frame in frames]).astype(np.float64)
    count = outputs.shape[1] if outputs.ndim > 1 else 0
    several = outputs.ndim == 3 and outputs.shape[2] > 1
    indices = targets is not None and targets.ndim == 1 and targets.dtype.kind in "iu"
    if several and (targets is None or indices):
        known = targets is not None and targets.min() >= 0 and targets.max() < outputs.shape[2]
        names = tuple(classes[k] if k < len(classes) else str(k) for k in range(outputs.shape[2]))
        labels = tuple(names[k] for k in targets.tolist()) if known and targets is not None else ("",) * count
        index = tuple(map(int, targets)) if known and targets is not None else None
        return Predictions(_thumbnails(camera), labels, names, index, _probabilities(outputs))
    flat = outputs.reshape(len(frames), count, -1)[:, :, :4]
    rows = () if targets is None else targets.reshape(len(targets), -1)[:, :4]
    labels = tuple(", ".join(theme.short(x) for x in row) for row in rows) or ("",) * count
    return Predictions(_thumbnails(camera), labels, (), None, flat)


def _probabilities(outputs: np.ndarray) -> np.ndarray:
    """Softmax over the classes, unless the model has applied it already."""
    with np.errstate(all="ignore"):
        if (outputs >= 0).all() and np.allclose(outputs.sum(-1), 1, atol=1e-4):
            return outputs
        powers = np.exp(outputs - outputs.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)


def _thumbnails(camera: Camera) -> tuple[Thumbnail, ...]:
    images = np.asarray(camera.images.data, np.float64)
    low, high = float(images.min()), float(images.max())
    shown = []
    for image in images:
        if image.ndim >= 2 and min(image.shape[-2:]) > 1:
            channels = image.reshape(-1, *image.shape[-2:])
            channels = channels if len(channels) == 3 else channels[:1]
        else:
            channels = image.reshape(1, 1, -1)
        step = math.ceil(max(channels.shape[1:]) / THUMBNAIL)
        levels = (channels[:, ::step, ::step] - low) / ((high - low) or 1.0) * 255
        shown.append(Thumbnail(np.rint(np.nan_to_num(levels)).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)))
    return tuple(shown)


def _known(value: float | None) -> float | None:
    """The value with 5 digits; None unless it is finite."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def _ratio(update: float | None, weight: float) -> float | None:
    return None if update is None or weight == 0 else _known(update / weight)


def bytes_of(scores: np.ndarray) -> str:
    """Probabilities as bytes, 255 for 1, in base64."""
    return base64.b64encode(np.rint(np.nan_to_num(scores) * 255).clip(0, 255).astype(np.uint8).tobytes()).decode()
