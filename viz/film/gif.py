"""A film as an animated picture: filters and feature maps, the loss so far, the number of right answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

from tensorgrad.viz.film.reel import Picture, Reel

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

WIDTH, MARGIN, LINE, CURVE = 720, 14, 18, 110
"""The width of the picture, its margin, the height of a line of text and of the loss curve, in pixels."""

INK, GREY, PAPER, BLUE = (29, 29, 31), (91, 91, 96), (255, 255, 255), (0, 96, 154)
MOST, COLORS = 100, 64
"""The most frames, and how many colours they have."""

MILLISECONDS = 100
"""How long a frame is shown; the last one stays longer."""


def write(reel: Reel, stream: IO[bytes]) -> None:
    """Write the film as a GIF. Raises ImportError where Pillow isn't installed."""
    from PIL import Image

    shown = range(0, len(reel.steps), math.ceil(len(reel.steps) / MOST))
    # The colours of the last frame, which has all of them, for every frame: what doesn't change costs nothing then.
    palette = _frame(reel, len(reel.steps) - 1).quantize(COLORS)
    images = [_frame(reel, k).quantize(palette=palette, dither=Image.Dither.NONE) for k in shown]
    durations = [MILLISECONDS] * (len(images) - 1) + [20 * MILLISECONDS]
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)


def _frame(reel: Reel, k: int) -> Image:
    from PIL import Image, ImageDraw

    first = min((picture.image for picture in reel.pictures if picture.image is not None), default=None)
    rows = _rows([picture for picture in reel.pictures if picture.image in (None, first)])
    height = 2 * MARGIN + 2 * LINE + CURVE + sum(row_height for row_height, _ in rows)
    image = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(image)
    loss = reel.frame_losses[k]
    draw.text(
        (MARGIN, MARGIN), f"step {reel.steps[k]:,}{'' if loss is None else f', loss {loss:.4g}'}{_right(reel, k)}", INK
    )
    _curve(draw, reel, k, MARGIN + LINE)
    top = MARGIN + 2 * LINE + CURVE
    for row_height, placed in rows:
        for left, scale, picture in placed:
            title = picture.layer + (": filters" if picture.image is None else f": image {picture.image + 1}")
            draw.text((left, top), title, GREY)
            image.paste(_pixels(picture, k, scale), (left, top + LINE))
        top += row_height
    return image


def _rows(pictures: Sequence[Picture]) -> list[tuple[int, list[tuple[int, int, Picture]]]]:
    """The pictures in rows: the height of each row, and the left edge and the scale of its pictures."""
    rows: list[tuple[int, list[tuple[int, int, Picture]]]] = []
    left = WIDTH
    for picture in pictures:
        _, height, width = picture.strip.levels.shape
        scale = max(1, min((WIDTH // 2 - 2 * MARGIN) // width, 120 // height, 10))
        if left + width * scale + MARGIN > WIDTH:
            rows.append((0, []))
            left = MARGIN
        tall, placed = rows[-1]
        rows[-1] = max(tall, height * scale + LINE + MARGIN), [*placed, (left, scale, picture)]
        left += max(width * scale, WIDTH // 2 - MARGIN) + MARGIN
    return rows


def _pixels(picture: Picture, k: int, scale: int) -> Image:
    from PIL import Image

    palette = picture.strip.palette.copy()
    palette[255] = PAPER
    pixels = palette[picture.strip.levels[k]].repeat(scale, 0).repeat(scale, 1)
    return Image.fromarray(pixels)


def _right(reel: Reel, k: int) -> str:
    """`, 9 of 12 right`"""
    targets = reel.predictions.targets
    if targets is None:
        return ""
    right = int((reel.predictions.scores[k].argmax(-1) == np.array(targets)).sum())
    return f", {right} of {len(targets)} right"


def _curve(draw: ImageDraw, reel: Reel, k: int, top: int) -> None:
    """The loss curve: pale as a whole, blue up to the frame."""
    known = [(step, loss) for step, loss in reel.losses if loss is not None]
    if len(known) < 2:
        return
    (first, last), losses = (known[0][0], known[-1][0]), [loss for _, loss in known]
    low, span = min(losses), (max(losses) - min(losses)) or 1.0
    across = (WIDTH - 2 * MARGIN) / max(last - first, 1)
    points = [(MARGIN + (s - first) * across, top + CURVE - 8 - (y - low) / span * (CURVE - 16)) for s, y in known]
    draw.line(points, (205, 205, 210))
    reached = [point for point, (step, _) in zip(points, known, strict=True) if step <= reel.steps[k]]
    if len(reached) > 1:
        draw.line(reached, BLUE, 2)
