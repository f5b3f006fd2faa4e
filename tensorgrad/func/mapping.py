"""vmap: a function of one element of an axis, mapped over all of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.func.trees import flatten, mapped, rebuilt
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.joining import stack

__all__ = ["vmap"]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that maps `func` over an axis of its arguments, and stacks what it returns.

    It calls `func` once per element of the axis: it saves writing the loop, not the time of it.

    Args:
        func: a function of tensors, or of dicts, lists and tuples of them.
        in_dims: the axis of each argument to map over, None for arguments that stay as they are: one int for all, or a
            tuple with one entry per argument, which may have the structure of the argument.
        out_dims: where the axis stands in the results: one int, or a tuple with one per result.
        randomness: what random numbers do: "error" refuses them, "different" draws new ones in each call, "same" draws
            the same ones.
        chunk_size: accepted for PyTorch's sake.

    Raises:
        ArgumentError: no axis to map over, another randomness, random numbers under "error".
        ShapeError: axes of different lengths, or of no elements.

    >>> import tensorgrad as tg
    >>> tg.func.vmap(lambda x, y: (x * y).sum(), in_dims=(0, None))(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.ones(2))
    tensor([3., 7.])
    """
    if not isinstance(randomness, str) or randomness not in ("error", "different", "same"):
        problem = f'randomness must be "error", "different" or "same", got {randomness!r}'
        raise ArgumentError(restate("vmap", problem))

    def mapped_function(*args: Any, **kwargs: Any) -> Any:
        slices, count = _slices(args, in_dims)
        generator, found = default_generator().bit_generator, []
        before = generator.state
        for k in range(count):
            if randomness == "same":
                generator.state = before
            found.append(func(*slices(k), **{name: mapped(operator.itemgetter(k), x) for name, x in kwargs.items()}))
        if randomness == "error" and generator.state != before:
            fix = 'pass randomness="different" or "same"'
            raise ArgumentError(restate("vmap", "the function draws random numbers", fix=fix))
        return _joined(found, out_dims)

    return mapped_function


def _slices(args: tuple, in_dims: Any) -> tuple[Callable[[int], list[Any]], int]:
    """A function that gives the arguments of call k, and the number of calls."""
    dims = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
    if len(dims) != len(args):
        problem = f"in_dims must have one entry per argument, {len(args)}, got {len(dims)}"
        raise ArgumentError(restate("vmap", problem, in_dims=in_dims))
    per_leaf = []
    for argument, dim in zip(args, dims, strict=True):
        leaves, _ = flatten(argument)
        axes = [dim] * len(leaves) if dim is None or isinstance(dim, int) else flatten(dim, none_is_leaf=True)[0]
        if len(axes) != len(leaves):
            raise ArgumentError(restate("vmap", "in_dims must fit the structure of the arguments", in_dims=in_dims))
        per_leaf.append(
            [
                None if a is None or not isinstance(x, Variable) else normalize_axis("vmap", x, a, "in_dims")  # type: ignore[arg-type]
                for x, a in zip(leaves, axes, strict=True)
            ]
        )
    lengths = {
        x.shape[a]
        for argument, axes in zip(args, per_leaf, strict=True)
        for x, a in zip(flatten(argument)[0], axes, strict=True)
        if a is not None
    }
    if not lengths:
        raise ArgumentError(restate("vmap", "in_dims must name an axis of a tensor", in_dims=in_dims))
    if len(lengths) > 1 or lengths == {0}:
        problem = f"the axes to map over must have one length, 1 or more, got {sorted(lengths)}"
        raise ShapeError(restate("vmap", problem, in_dims=in_dims))

    def slices(k: int) -> list[Any]:
        found = []
        for argument, axes in zip(args, per_leaf, strict=True):
            leaves = flatten(argument)[0]
            inside = [x if a is None else x[(slice(None),) * a + (k,)] for x, a in zip(leaves, axes, strict=True)]
            found.append(rebuilt(argument, inside))
        return found

    return slices, lengths.pop()


def _joined(results: list[Any], out_dims: Any) -> Any:
    """The results of all calls, stacked."""
    columns = list(zip(*[flatten(r)[0] for r in results], strict=True))
    dims = flatten(out_dims)[0] if isinstance(out_dims, (tuple, list)) else [out_dims] * len(columns)
    if len(dims) != len(columns):
        problem = f"out_dims must have one entry per result, {len(columns)}, got {len(dims)}"
        raise ArgumentError(restate("vmap", problem, out_dims=out_dims))
    return rebuilt(results[0], [stack(column, dim) for column, dim in zip(columns, dims, strict=True)])
