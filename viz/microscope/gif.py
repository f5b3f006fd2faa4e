"""A play as an animated picture: the filter slides over the input, then the gradient is scattered back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import numpy as np

from tensorgrad.viz.film.strip import Strip, strip
from tensorgrad.viz.microscope.play import Direction, View

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIDE, FILTER, MARGIN, LINE = 224, 126, 16, 20
"""The largest size of a picture, and of the filter; the margin, and the height of a line of text; in pixels."""

INK, GREY, PAPER, YELLOW, EMPTY = (29, 29, 31), (91, 91, 96), (255, 255, 255), (255, 200, 0), (232, 232, 236)
MOST, COLORS, MILLISECONDS, LAST = 50, 128, 100, 1800
"""The most frames of each half, and how many colours they have; how long a frame is shown, and the last of a half."""

Planes = dict[str, np.ndarray | None]


def write(view: View, stream: IO[bytes]) -> None:
    """Write the play of a layer as a GIF. Raises ImportError where Pillow isn't installed."""
    from PIL import Image

    ends = np.unique(np.linspace(1, view.count, min(MOST, view.count)).astype(int)).tolist()
    backward: list[Direction] = ["backward"] if view.layer.windows.gradient is not None else []
    frames = [(direction, done) for direction in ["forward", *backward] for done in ends]
    drawn = list(_frames(view, frames))
    palette = drawn[-1].quantize(COLORS)
    images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in drawn]
    durations = [LAST if done == view.count else MILLISECONDS for _, done in frames]
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)


def _frames(view: View, frames: list[tuple[Direction, int]]) -> Iterator[Image]:
    seen = [_planes(view, direction, done) for direction, done in frames]
    # One scale for the whole play; the last frame of the play has every number.
    strips = {name: _strip([planes[name] for planes in seen], name.endswith("gradient")) for name in seen[0]}
    for k, (direction, done) in enumerate(frames):
        yield _frame(view, strips, k, f"{view.layer.name}, {direction}: window {done} of {view.count}", done - 1)


def _planes(view: View, direction: Direction, done: int) -> Planes:
    """The planes of a frame: on the way forward no gradient is there yet."""
    planes = view.planes(direction, done)
    if direction == "backward":
        return planes
    return {name: None if name.endswith("gradient") else plane for name, plane in planes.items()}


def _strip(planes: list[np.ndarray | None], signed: bool) -> Strip | None:
    """The pictures of all frames; a plane that isn't known is all gaps, in the size of those that are."""
    known = next((plane for plane in planes if plane is not None), None)
    if known is None:
        return None
    return strip([np.full(known.shape, np.nan) if plane is None else plane for plane in planes], signed)


def _frame(view: View, strips: dict[str, Strip | None], k: int, title: str, window: int) -> Image:
    from PIL import Image, ImageDraw

    columns = ("windows", "pixels") if view.layer.transposed else ("pixels", "windows")
    row = LINE + MARGIN + (SIDE if view.layer.pixels.values.shape[2] > 1 else LINE)
    image = Image.new("RGB", (2 * SIDE + FILTER + 4 * MARGIN, 2 * MARGIN + LINE + 2 * row), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), title, INK)
    place = divmod(window, view.layer.windows.values.shape[3])
    lefts = (MARGIN, 3 * MARGIN + SIDE + FILTER)
    for letter, side, left in zip("xz", columns, lefts, strict=True):
        for name, caption in ((side, letter), (f"{side[:-1]}_gradient", f"gradient of {letter}")):
            top = MARGIN + LINE + (row if name != side else 0)
            draw.text((left, top), caption, GREY)
            _paste(image, draw, strips[name], k, (left, top + LINE), _box(view, side, place))
    if view.filter is not None:
        draw.text((2 * MARGIN + SIDE, MARGIN + LINE), "filter", GREY)
        corner = (2 * MARGIN + SIDE, MARGIN + 2 * LINE)
        _paste(image, draw, strip([view.filter], signed=True), 0, corner, None, FILTER)
    return image


def _paste(
    image: Image,
    draw: ImageDraw,
    pictures: Strip | None,
    k: int,
    corner: tuple[int, int],
    box: tuple[int, int, int, int] | None,
    largest: int = SIDE,
) -> None:
    """One picture at a corner, with a box around (top, left, bottom, right), in its elements."""
    from PIL import Image

    (left, top) = corner
    if pictures is None:
        draw.text(corner, "not recorded", GREY)
        return
    levels = pictures.levels[k]
    across = max(1, largest // levels.shape[1] if len(levels) == 1 else min(largest // n for n in levels.shape))
    down = LINE if len(levels) == 1 else across
    palette = pictures.palette.copy()
    palette[255] = EMPTY
    picture = Image.fromarray(palette[levels].repeat(down, 0).repeat(across, 1))
    draw.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=EMPTY)
    image.paste(picture, corner)
    if box is not None:
        first, start, last, end = box
        edges = (left + start * across - 1, top + first * down - 1, left + end * across, top + last * down)
        draw.rectangle(edges, outline=YELLOW, width=2)


def _box(view: View, side: str, place: tuple[int, int]) -> tuple[int, int, int, int]:
    """What the window at a place covers, padding cut off; on its own side the one element."""
    if side == "windows":
        return (*place, place[0] + 1, place[1] + 1)
    starts = [axis.starts[p] for axis, p in zip(view.layer.axes, place, strict=True)]
    lengths = [(axis.lengths[p] if axis.lengths else axis.taps) for axis, p in zip(view.layer.axes, place, strict=True)]
    ends = [s + (n - 1) * a.dilation + 1 for s, n, a in zip(starts, lengths, view.layer.axes, strict=True)]
    (top, left), (bottom, right) = starts, ends
    rows, columns = (axis.size for axis in view.layer.axes)
    return max(top, 0), max(left, 0), min(bottom, rows), min(right, columns)
