"""The worst mistakes: images that a network classified wrongly with the highest confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.checks import at_least, class_names, classes, finite, numbers, same_length
from tensorgrad.viz.plots.mosaic import Mosaic, draw_rgb, frame, mosaic, near_square, size_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tensorgrad.ops.operands import TensorLike


def mistakes(
    images: TensorLike,
    targets: TensorLike,
    logits: TensorLike,
    count: int = 12,
    names: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The images that were classified wrongly with the highest probability: `true → predicted (probability)`.

    Args:
        images: `(N, H, W)`, `(N, 1, H, W)` grey or `(N, 3, H, W)` RGB; the darkest pixel shown is black, the
            brightest white.
        targets: the true classes, integers `(N,)`.
        logits: `(N, C)`, before the softmax.
        count: how many mistakes to show at most.
        names: of the C classes; by default their indices.
        ax: where to draw.

    Raises:
        ShapeError: the shapes don't fit together.
        DTypeError: images or logits don't hold numbers, or classes aren't integers.
        RangeError: a class is outside of 0 … C − 1.
        ArgumentError: there are no images, logits are NaN or infinite, `count` is below 1, or the number of names isn't
            C.

    >>> import numpy as np, tensorgrad as tg
    >>> ax = tg.viz.mistakes(np.eye(4).reshape(2, 2, 4), [0, 1], [[2.0, 0.0], [3.0, 0.0]])
    >>> ax.get_title(), [text.get_text() for text in ax.texts]
    ('the only mistake among 2 images', ['1 → 0 (95 %)'])
    """
    pixels, truth, scores = _checked(images, targets, logits, count)
    labels = class_names("mistakes", names, scores.shape[1])
    worst, predicted, probability = rank(truth, scores)
    shown = worst[:count]
    if not len(shown):
        ax = canvas.axes("mistakes", ax, 4.0, 1.4)
        ax.set_axis_off()
        ax.set_title(f"no mistakes among {len(truth):,} images", fontsize=11)
        return ax
    captions = [_caption(labels[truth[k]], labels[predicted[k]], probability[k]) for k in shown]
    lines = max(text.count("\n") for text in captions) + 1
    columns = near_square("mistakes", len(shown), None, wide=1.6)
    layout = mosaic(_black_to_white(pixels[shown]), columns, below=0.08 + 0.14 * lines)
    ax = canvas.axes("mistakes", ax, *_size(layout))
    draw_rgb(ax, layout)
    frame(ax, layout)
    for k, text in enumerate(captions):
        place = layout.foot(k)
        ax.annotate(text, place, (0, -3), textcoords="offset points", ha="center", va="top", fontsize=8.5)
    ax.set_title(_title(len(shown), len(worst), len(truth)), fontsize=11)
    return ax


def rank(truth: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The wrong rows, the most probable prediction first; of each row the predicted class, and its probability.

    Probabilities can't rank them, since many round to 1: what is left to all other classes does.

    >>> import numpy as np
    >>> rank(np.array([0, 1, 1]), np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 0.0]]))[0]
    array([2, 0])
    """
    z = logits.astype(np.float64)
    z -= z.max(1, keepdims=True)
    rows, predicted = np.arange(len(z)), z.argmax(1)
    others = z.copy()
    others[rows, predicted] = -np.inf
    # The largest logit is 0: the odds against the prediction are Σ exp(z) over all other classes.
    against = np.logaddexp.reduce(others, axis=1)
    wrong = np.flatnonzero(predicted != truth)
    worst = wrong[np.argsort(against[wrong], kind="stable")]
    return worst, predicted, 1 / (1 + np.exp(against))


def percent(p: float) -> str:
    """A probability in percent; only 1 itself is shown as 100 %.

    >>> percent(0.456), percent(0.9987), percent(1 - 1e-7)
    ('46 %', '99.9 %', '> 99.9 %')
    """
    return f"{100 * p:.0f} %" if p < 0.985 else f"{100 * p:.1f} %" if p < 0.9995 else "> 99.9 %"


def _checked(images: Any, targets: Any, logits: Any, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels `(N, H, W, 1 or 3)`, classes `(N,)`, logits `(N, C)`."""
    call, expected = "mistakes", "(N, H, W), (N, 1, H, W) or (N, 3, H, W)"
    pixels = numbers(call, (3, 4), expected, images=images)
    if pixels.ndim == 4 and pixels.shape[1] not in (1, 3):
        problem = f"images must have 1 or 3 channels, got {pixels.shape[1]} channels"
        raise ArgumentError(restate(call, problem, expected=expected, images=pixels))
    at_least(call, 1, count=count)
    scores = finite(call, numbers(call, 2, "(N, C), before the softmax", logits=logits), "logits")
    truth = classes(call, scores.shape[1], targets=targets)
    same_length(call, images=pixels, targets=truth, logits=scores)
    # (N, H, W) -> (N, H, W, 1), (N, C, H, W) -> (N, H, W, C)
    return (pixels[..., None] if pixels.ndim == 3 else pixels.transpose(0, 2, 3, 1)), truth, scores


def _black_to_white(pixels: np.ndarray) -> np.ndarray:
    """(T, H, W, 1 or 3) -> (T, H, W, 3), from 0 for the darkest of all to 1 for the brightest; ½ if all are equal."""
    finite = pixels[np.isfinite(pixels)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    scaled = (pixels - low) / (high - low) if high > low else np.where(np.isfinite(pixels), 0.5, pixels)
    return np.broadcast_to(scaled, (*pixels.shape[:3], 3))


def _size(layout: Mosaic) -> tuple[float, float]:
    """The size of the figure in inches, wide enough for the captions."""
    width, height = size_for(layout, beside=0.3)
    factor = max(1.0, 1.4 * layout.columns / width)
    return factor * width, factor * height


def _caption(true: str, predicted: str, probability: float) -> str:
    """On one line if it fits under a picture, else on two."""
    true, predicted = theme.shorten(true, 13), theme.shorten(predicted, 13)
    line_end = " " if len(true + predicted) < 9 else "\n"
    return f"{true}{line_end}→ {predicted} ({percent(probability)})"


def _title(shown: int, wrong: int, images: int) -> str:
    if wrong == 1:
        return f"the only mistake among {images:,} images"
    which = f"the worst {shown} of {wrong:,}" if shown < wrong else f"all {wrong}"
    return f"{which} mistakes among {images:,} images\ntrue → predicted (probability)"
