"""The cost over a single weight, with its slopes, and the steps of gradient descent."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.modes import enable_grad, no_grad
from tensorgrad.errors import ArgumentError, RangeError, restate
from tensorgrad.ops.operands import number
from tensorgrad.transforms import grad
from tensorgrad.viz.format import theme
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.checks import at_least
from tensorgrad.viz.plots.parameters import check_cost, named, restored, scalar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tensorgrad.tensor import Tensor

Index = int | tuple[int, ...]

TANGENT_LENGTH = 0.3
"""The length of a tangent in the figure, in widths of the plot."""


def cost_curve(
    cost: Callable[[], Tensor],
    parameter: Tensor,
    index: Index | None = None,
    low: float | None = None,
    high: float | None = None,
    tangents: Sequence[float] = (),
    descent: Sequence[float] = (),
    points: int = 101,
    ax: Axes | None = None,
) -> Axes:
    """The cost C(w) over one element w of a parameter; all others keep their values.

    Each tangent's slope is ∂C/∂w by backpropagation. The parameter and its gradient are restored bit for bit, even if
    `cost` raises. Call `model.eval()` first where the model has dropout or batch statistics.

    Args:
        cost: computes the cost, a scalar Tensor, from the parameter as it is: `lambda: loss(model(x), y)`.
        parameter: a tensor of floats, in writeable memory; for tangents it must require a gradient.
        index: which element, such as `(0, 1)`; can be left out where there is only one.
        low: the left end of the curve; by default left of all values that are marked on it.
        high: the right end; by default right of them.
        tangents: values of w at which to draw the tangent.
        descent: values of w that gradient descent took one after the other, drawn as steps on the curve.
        points: how many values of w the curve is made of, the ends included.
        ax: where to draw.

    Raises:
        ArgumentError: `index` is missing or doesn't name one element, `low` isn't below `high`, values are NaN or
            infinite, or `points` is below 2.
        RangeError: `index` is outside of the parameter.
        DTypeError: `cost` doesn't return a number, or the parameter isn't of floats.
        GraphError: tangents of a parameter that requires no gradient, or that the cost doesn't depend on.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([3.0, 2.0], requires_grad=True, name="w")
    >>> ax = cost_curve(lambda: (w * w).sum(), w, index=0, low=-1, high=1, tangents=[0.5], points=3)
    >>> ax.get_lines()[0].get_ydata(), ax.get_xlabel(), ax.texts[0].get_text()
    (array([5., 4., 5.]), 'w[0]', 'slope 1')
    """
    call = "cost_curve"
    check_cost(call, cost)
    ((name, parameter),) = named(call, [parameter]).items()
    index = _element(parameter, index)
    tangents, descent = _values("tangents", tangents), _values("descent", descent)
    now = float(parameter.data[index])
    low, high = _ends(low, high, [*([now] if np.isfinite(now) else []), *tangents, *descent])
    at_least(call, 2, points=points)

    ax = canvas.axes(call, ax, 6.0, 4.2)
    grid = np.linspace(low, high, points)
    with restored(call, [parameter]):
        with no_grad():
            curve, steps = (_costs(cost, parameter, index, values) for values in (grid, descent))
        slopes = [_slope(cost, parameter, index, w) for w in tangents]
        parameter.data[index] = now
        with no_grad():
            here = scalar(call, cost)

    ax.plot(grid, curve, color=theme.BLUE, linewidth=2, label="cost")
    _limit(ax, low, high, [*curve, *steps])
    for w, (height, slope) in zip(tangents, slopes, strict=True):
        _tangent(ax, w, height, slope)
    if len(descent):
        _descend(ax, descent, steps)
    elif low <= now <= high:
        ax.plot(now, here, "o", color=theme.INK, label=f"now, {theme.number(now, 3)}", zorder=4)
    missing = points - int(np.isfinite(curve).sum())
    ax.set_title(
        "cost along one weight" + f": NaN or infinite at {missing} of {points} points" * bool(missing), size=11
    )
    label = "" if parameter.numel() == 1 and not index else str(list(index))
    ax.set(xlabel=f"{'w' if name == 'parameter 0' else theme.shorten(name, 40)}{label}", ylabel="cost")
    canvas.tidy(ax)
    return ax


def _element(parameter: Tensor, index: Any) -> tuple[int, ...]:
    """The index of one element, an integer per axis."""
    call = "cost_curve"
    if index is None:
        if parameter.numel() != 1:
            problem, fix = "index must name one of several elements", f"such as index={(0,) * parameter.ndim}"
            raise ArgumentError(restate(call, problem, fix=fix, parameter=parameter))
        return (0,) * parameter.ndim
    problem = f"index must be {parameter.ndim} integers within {parameter.shape}, got {index!r}"
    try:
        found = tuple(operator.index(k) for k in (index if isinstance(index, tuple | list) else (index,)))
    except TypeError:
        raise ArgumentError(restate(call, problem, parameter=parameter)) from None
    if len(found) != parameter.ndim:
        raise ArgumentError(restate(call, problem, parameter=parameter))
    if not all(-size <= k < size for k, size in zip(found, parameter.shape, strict=True)):
        raise RangeError(restate(call, problem, parameter=parameter))
    return tuple(k % size for k, size in zip(found, parameter.shape, strict=True))


def _values(name: str, values: Sequence[float]) -> list[float]:
    found = [number("cost_curve", name, w) for w in values]
    if not np.isfinite(found).all():
        given: dict[str, Any] = {name: found}
        raise ArgumentError(restate("cost_curve", f"{name} must be finite", **given))
    return found


def _ends(low: float | None, high: float | None, marked: list[float]) -> tuple[float, float]:
    """The ends as given; by default a fifth of the extent beyond all marked values, or 1 around a single one."""
    marked = marked + [end for end in (low, high) if end is not None]
    extent = max(marked, default=0.0) - min(marked, default=0.0)
    beyond = extent / 5 if extent > 0 else max(1.0, abs(marked[0]) if marked else 0.0)
    left = min(marked, default=0.0) - beyond if low is None else float(low)
    right = max(marked, default=0.0) + beyond if high is None else float(high)
    if not (np.isfinite([left, right]).all() and left < right):
        raise ArgumentError(restate("cost_curve", "low must be below high, both finite", low=low, high=high))
    return left, right


def _costs(cost: Callable[[], Tensor], parameter: Tensor, index: tuple[int, ...], values: Any) -> np.ndarray:
    found = np.empty(len(values))
    for k, w in enumerate(values):
        parameter.data[index] = w
        found[k] = scalar("cost_curve", cost)
    return found


def _slope(cost: Callable[[], Tensor], parameter: Tensor, index: tuple[int, ...], w: float) -> tuple[float, float]:
    """The cost at w, and ∂C/∂w."""
    parameter.data[index] = w
    with enable_grad():
        value = cost()
        height = scalar("cost_curve", lambda: value)
        (gradient,) = grad(value, parameter)
    assert gradient is not None
    return height, float(gradient.data[index])


def _limit(ax: Axes, low: float, high: float, heights: list[float]) -> None:
    """Limits that hold all heights, set before the tangents are drawn: these depend on them, and may reach beyond."""
    seen = [y for y in heights if np.isfinite(y)] or [0.0]
    margin = 0.08 * (max(seen) - min(seen)) or 0.5
    ax.set(xlim=(low, high), ylim=(min(seen) - margin, max(seen) + margin))


def _tangent(ax: Axes, w: float, height: float, slope: float) -> None:
    """A line of the same length in the figure, whatever its slope."""
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    width, tall = right - left, top - bottom
    half = 0.5 * TANGENT_LENGTH * width / np.hypot(1.0, slope * width / tall)
    x = np.array([w - half, w + half])
    ax.plot(x, height + slope * (x - w), color=theme.VERMILION, linewidth=1.8, zorder=3)
    ax.plot(w, height, "o", color=theme.VERMILION, markersize=5, zorder=4)
    # Above, on the side away from the tangent's rise; where that would leave the plot, below on the other side.
    rightwards, fits = slope <= 0, (right - w if slope <= 0 else w - left) > 0.25 * width
    side, rise = (9 if rightwards == fits else -9), (7 if fits else -7)
    style: dict[str, Any] = {"color": theme.VERMILION, "fontsize": 9, "zorder": 5}
    style |= {"ha": "left" if side > 0 else "right", "va": "bottom" if fits else "top"}
    style["path_effects"] = [withStroke(linewidth=3, foreground="white")]
    text = f"slope {theme.number(slope, 3)}"
    ax.annotate(text, (w, height), (side, rise), textcoords="offset points", **style)


def _descend(ax: Axes, values: list[float], heights: np.ndarray) -> None:
    """The points of the descent, an arrow from each to the next."""
    for k in range(len(values) - 1):
        arrow = {"arrowstyle": "-|>", "color": theme.GREEN, "shrinkA": 2, "shrinkB": 2, "linewidth": 1.2}
        ax.annotate("", (values[k + 1], heights[k + 1]), (values[k], heights[k]), arrowprops=arrow, zorder=4)
    label = f"gradient descent, {len(values) - 1} steps"
    ax.plot(values, heights, "o", color=theme.GREEN, markersize=4.5, label=label, zorder=5)
    ax.plot(values[0], heights[0], "s", color=theme.GREEN, label="start", zorder=6)
    ax.plot(values[-1], heights[-1], "*", color=theme.GREEN, markersize=13, label="end", zorder=6)
