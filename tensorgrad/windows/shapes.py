"""The shapes of the arrays that kernels take, checked against a window: kernels address memory by them, unchecked."""

from typing import Any, NamedTuple

from tensorgrad.errors import ShapeError, restate
from tensorgrad.windows.window import Sizes, Window


class Shapes(NamedTuple):
    """The shapes of a convolution's arrays."""

    x: Sizes  # (N, C, H, W)
    w: Sizes  # (K, C/groups, KH, KW)
    y: Sizes  # (N, K, OH, OW)


def convolution_shapes(
    op: str, window: Window, *, x: Sizes | None = None, w: Sizes | None = None, y: Sizes | None = None
) -> Shapes:
    """All three shapes of a convolution; a kernel is given two of them.

    Raises `ShapeError` where these don't fit the window: kernels address memory by these shapes, unchecked.
    """
    given: dict[str, Any] = {name: shape for name, shape in (("x", x), ("w", w), ("y", y)) if shape is not None}
    fits = all(len(shape) == len(window.size) + 2 for shape in given.values())
    if fits:
        count, filters = (x or y or ())[0], (w or y or ())[int(w is None)]
        channels = x[1] if x is not None else (w or ())[1] * window.groups
        shapes = Shapes(
            (count, channels, *window.size),
            (filters, channels // window.groups, *window.kernel),
            (count, filters, *window.output),
        )
        fits = min(channels, filters) > 0 and not channels % window.groups and not filters % window.groups
        if fits and all(shape == getattr(shapes, name) for name, shape in given.items()):
            return shapes
    expected = f"x (N, C, {_listed(window.size)}), w (K, C/groups, {_listed(window.kernel)}), "
    expected += f"y (N, K, {_listed(window.output)})"
    raise ShapeError(restate(op, "the arrays don't fit the window", expected=expected, window=window, **given))


def check_pooled(op: str, window: Window, **arrays: Any) -> None:
    """Raise `ShapeError` unless x is `(N, C, *window.size)` and y `(N, C, *window.output)`."""
    right = {"x": window.size, "y": window.output}
    if any(len(shape) != len(window.size) + 2 or shape[2:] != right[name] for name, shape in arrays.items()):
        expected = f"x (N, C, {_listed(window.size)}), y (N, C, {_listed(window.output)})"
        raise ShapeError(restate(op, "the arrays don't fit the window", expected=expected, window=window, **arrays))


def _listed(sizes: Sizes) -> str:
    return ", ".join(map(str, sizes))
