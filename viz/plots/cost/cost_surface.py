"""The cost over a plane through the space of all parameters, and the path of the training projected on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.system.console import with_bar
from tensorgrad.tensor import Tensor
from tensorgrad.viz.plots import canvas
from tensorgrad.viz.plots.checks import at_least
from tensorgrad.viz.plots.cost.descent import DescentPath
from tensorgrad.viz.plots.cost.landscape import draw_map, draw_surface, share
from tensorgrad.viz.plots.cost.plane import Plane, given_directions, principal_directions, random_directions
from tensorgrad.viz.plots.parameters import check_cost, flat, named, restored, scalar, shaped, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CALL = "cost_surface"

Ends = tuple[float, float]


def cost_surface(
    cost: Callable[[], Tensor],
    parameters: Any,
    path: DescentPath | None = None,
    directions: Any = "random",
    span: float | tuple[Ends, Ends] | None = None,
    resolution: int = 41,
    seed: int = 0,
    ax: Axes | None = None,
    three_d: bool = False,
) -> Axes:
    """The cost over a plane through the end of the path, or without one through the parameters as they are.

    What is drawn is the projection of the path on the plane. The title states how much of the path lies outside the
    plane, as the fraction of its squared distance from the centre. The parameters and their gradients are restored bit
    for bit, even if `cost` raises. Call `model.eval()` first where the model has dropout or batch statistics.

    Args:
        cost: computes the cost, a scalar Tensor, from the parameters as they are: `lambda: loss(model(x), y)`.
        parameters: a module, a mapping of tensors by name, or tensors.
        path: the `DescentPath` of the same parameters.
        directions: "random", with filter normalisation (Li et al., Visualizing the Loss Landscape of Neural Nets,
            NeurIPS 2018); "pca", the plane through the end that lies nearest to the path; or two directions, each one
            vector of all values or a list of arrays shaped as the parameters.
        span: from −span to span in both directions; or both ends for each, `((low, high), (low, high))`. A step
            of 1 is as long as the direction: for "random" as long as each filter is, for "pca" a distance of 1. By
            default it holds the path; without a path it is 1.
        resolution: points in each direction; the cost is computed resolution² times, with a progress bar on a terminal.
        seed: of the random directions.
        ax: where to draw; with `three_d` it must be made with `projection="3d"`.
        three_d: a surface instead of a map.

    Raises:
        ArgumentError: the directions don't span a plane, "pca" has no path, `span` or `resolution` is out of range, or
            the cost is nowhere finite.
        ShapeError: the directions or the path belong to other parameters.
        DTypeError: `cost` doesn't return a number, `path` isn't a DescentPath, or parameters aren't of floats.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([2.0, 1.0], requires_grad=True)
    >>> path = DescentPath([w])
    >>> for _ in range(5):
    ...     path.record()
    ...     w.data *= (0.5, 0.8)
    >>> ax = cost_surface(lambda: (w * w).sum(), [w], path, directions="pca", resolution=11)
    >>> ax.get_title().split(chr(10))[1]
    '0 % of the path lies outside this plane'
    """
    check_cost(CALL, cost)
    tensors = list(named(CALL, parameters).values())
    at_least(CALL, 2, resolution=resolution)
    ax = canvas.axes(CALL, ax, 6.4, 5.6 if three_d else 5.0, three_d)
    walked = _points(path, tensors)
    plane = _plane(tensors, walked, directions, seed)
    projected, outside = (None, 0.0) if walked is None else plane.project(walked)
    x, y = (np.linspace(low, high, resolution) for low, high in _spans(span, projected))
    with restored(CALL, tensors), no_grad():
        # (resolution²,) -> (resolution, resolution): a row per β
        heights = _heights(cost, tensors, plane, [(a, b) for b in y for a in x]).reshape(resolution, resolution)
        heights[~np.isfinite(heights)] = np.nan
        along = _heights(cost, tensors, plane, projected) if three_d and projected is not None else None
    if np.isnan(heights).all():
        raise ArgumentError(restate(CALL, "cost() must be finite somewhere, got only NaN and infinity", span=span))

    if three_d:
        draw_surface(ax, x, y, heights, projected, along)
    else:
        draw_map(ax, x, y, heights, projected)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    _describe(ax, directions, heights, None if projected is None else outside)
    return ax


def _points(path: DescentPath | None, tensors: list[Tensor]) -> np.ndarray | None:
    if path is None:
        return None
    if not isinstance(path, DescentPath):
        fix = "path = DescentPath(model), path.record() after each step"
        raise DTypeError(restate(CALL, "path must be a DescentPath", fix=fix, path=path))
    points, size = path.points, sum(p.numel() for p in tensors)
    if points.shape[1] != size:
        problem = f"path must have points of {size} values, as the parameters have, got {points.shape[1]}"
        raise ShapeError(restate(CALL, problem, fix="record the parameters that are drawn"))
    if not len(points) or not np.isfinite(points).all():
        problem = "must be finite, got NaN or infinity" if len(points) else "must have at least one point"
        raise ArgumentError(restate(CALL, f"path {problem}", fix="record finite points with path.record()"))
    return points


def _plane(tensors: list[Tensor], walked: np.ndarray | None, directions: Any, seed: int) -> Plane:
    centre = flat(p.data for p in tensors) if walked is None else walked[-1]
    if not np.isfinite(centre).all():
        raise ArgumentError(restate(CALL, "parameters must be finite", parameters=centre))
    if isinstance(directions, str) and directions == "random":
        return Plane(centre, random_directions(shaped(centre, tensors), np.random.default_rng(seed)))
    if isinstance(directions, str) and directions == "pca":
        if walked is None:
            problem, fix = "path must be given for directions='pca'", "pass path=DescentPath(...)"
            raise ArgumentError(restate(CALL, problem, fix=fix))
        return Plane(centre, principal_directions(walked))
    return Plane(centre, given_directions(directions, tensors))


def _spans(span: Any, projected: np.ndarray | None) -> np.ndarray:
    """Both ends in both directions, `(2, 2)`: a row per direction."""
    if span is None:
        return _around(np.zeros((1, 2)) if projected is None else projected)
    try:
        ends = np.array(span, float)
    except (ValueError, TypeError):
        ends = np.zeros(2)
    if ends.ndim == 0:
        ends = np.array([[-ends, ends], [-ends, ends]])
    if ends.shape != (2, 2) or not np.isfinite(ends).all() or (ends[:, 0] >= ends[:, 1]).any():
        problem = "span must be a number above 0, or ((low, high), (low, high)) with low < high"
        raise ArgumentError(restate(CALL, problem, span=span))
    return ends


def _around(points: np.ndarray) -> np.ndarray:
    """Ends beyond all points `(T, 2)` by a fifth of their extent; 1 around a single point."""
    low, high = points.min(0), points.max(0)
    # A path along one direction needs some width in the other.
    extent = np.maximum(high - low, 0.4 * (high - low).max())
    half = 0.7 * extent if extent.any() else np.ones(2)
    middle = (low + high) / 2
    return np.array([middle - half, middle + half]).T


def _heights(
    cost: Callable[[], Tensor], tensors: list[Tensor], plane: Plane, places: Iterable[tuple[float, float]]
) -> np.ndarray:
    """The cost at each place (α, β) of the plane; the parameters keep the values of the last one."""
    found = []
    for a, b in with_bar(places, "cost surface"):
        write(tensors, plane.point(a, b))
        found.append(scalar(CALL, cost))
    return np.array(found)


def _describe(ax: Axes, directions: Any, heights: np.ndarray, outside: float | None) -> None:
    kind = directions if isinstance(directions, str) else "given"
    title = {
        "random": "cost over two random directions, filter-normalised",
        "pca": "cost over the principal directions of the path",
        "given": "cost over two directions",
    }[kind]
    ax.set(xlabel="direction 1", ylabel="direction 2")
    bad = int(np.isnan(heights).sum())
    title += f": NaN or infinite at {bad} of {heights.size} points" * bool(bad)
    if outside is not None:
        title += f"\n{share(outside)} of the path lies outside this plane"
    ax.set_title(title, fontsize=11)
