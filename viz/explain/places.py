"""The places of one element: the elements of an op's result that depend on it, and its factor in each.

∂L/∂x[i] = Σ over those places j of ∂L/∂z[j] · ∂z[j]/∂x[i]. For layers the second factor is an element of the other
operand: the pixel that a filter's weight met, the weight that a pixel met.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.autograd.op import Op
from tensorgrad.viz.explain.computation import Link
from tensorgrad.viz.explain.words import Words, broadcast_index
from tensorgrad.viz.format.notation import element, partial

Index = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """An element of z, and the element of the operand at `position` that x[i] met there; None in the padding."""

    z: Index
    position: int | None = None
    met: Index | None = None


@dataclass(frozen=True)
class Rule:
    """All places of one element: the sum as a formula, and each place."""

    formula: str
    places: tuple[Place, ...]


def rule(link: Link, index: Index, words: Words) -> Rule | None:
    """The places of an element in a layer or matrix product; None for other ops."""
    op, step = link.step.op, link.step
    find = _FAMILIES.get(op.name)
    if find is None:
        return None
    operands = [words[key] for key in step.inputs]
    return find(op, op.input_name(link.position), index, step.input_shapes, step.shape, operands, words[step.output])


# ------------------------------------------------------------------------------------------------------------- products


def _arrived(z: str, index: str) -> str:
    """The gradient that arrived at an element of z."""
    return partial("L", f"{z}[{index}]")


def _linear(op: Op, x: str, index: Index, shapes: tuple, shape: Index, names: list[str], z: str) -> Rule:
    """z[n, o] = Σᵢ x[n, i] · w[o, i] + b[o]"""
    (rows, outputs) = shape
    if x == "w":
        o, i = index
        text = f"Σₙ {_arrived(z, f'n,{o}')} · {names[0]}[n,{i}]"
        return Rule(text, tuple(Place((n, o), 0, (n, i)) for n in range(rows)))
    if x == "x":
        n, i = index
        text = f"Σₖ {_arrived(z, f'{n},k')} · {names[1]}[k,{i}]"
        return Rule(text, tuple(Place((n, k), 1, (k, i)) for k in range(outputs)))
    (o,) = index
    return Rule(f"Σₙ {_arrived(z, f'n,{o}')}", tuple(Place((n, o)) for n in range(rows)))


def _matmul(op: Op, x: str, index: Index, shapes: tuple, shape: Index, names: list[str], z: str) -> Rule:
    """z[…, m, n] = Σₖ x[…, m, k] · y[…, k, n]; batches before them may be broadcast."""
    own, other = shapes if x == "x" else shapes[::-1]
    places = []
    for batch in _batches(own[:-2], index[:-2], shape[:-2]):
        beside = broadcast_index(other[:-2], shape[:-2], batch) or ()
        if x == "x":
            m, k = index[-2:]
            places += [Place((*batch, m, n), 1, (*beside, k, n)) for n in range(shape[-1])]
        else:
            k, n = index[-2:]
            places += [Place((*batch, m, n), 0, (*beside, m, k)) for m in range(shape[-2])]
    dots = "…," if len(shape) > 2 else ""
    if x == "x":
        m, k = index[-2:]
        return Rule(f"Σₙ {_arrived(z, f'{dots}{m},n')} · {names[1]}[{dots}{k},n]", tuple(places))
    k, n = index[-2:]
    return Rule(f"Σₘ {_arrived(z, f'{dots}m,{n}')} · {names[0]}[{dots}m,{k}]", tuple(places))


def _batches(own: Index, index: Index, shape: Index) -> Iterator[Index]:
    """The batches of the result that one batch of an operand is broadcast to."""
    lead = len(shape) - len(own)
    ranges = [range(n) for n in shape[:lead]]
    ranges += [range(m) if n == 1 else range(k, k + 1) for n, m, k in zip(own, shape[lead:], index, strict=True)]
    return itertools.product(*ranges)


# -------------------------------------------------------------------------------------------------------------- windows


def _convolution(op: Op, x: str, index: Index, shapes: tuple, shape: Index, names: list[str], z: str) -> Rule:
    """z[n, k, p] = b[k] + Σ over c, i of w[k, c, i] · x[n, c, p · stride + i · dilation − before], p and i per axis."""
    if x == "b":
        (k,) = index
        everywhere = ",".join("pqr"[: len(shape) - 2])
        text = f"Σ over n,{everywhere} of {_arrived(z, f'n,{k},{everywhere}')}"
        return Rule(text, tuple(Place((n, k, *p)) for n in range(shape[0]) for p in np.ndindex(*shape[2:])))
    return _weight(op, index, shapes, shape, names, z) if x == "w" else _pixel(op, index, shapes, shape, names, z)


def _weight(op: Any, index: Index, shapes: tuple, shape: Index, names: list[str], z: str) -> Rule:
    k, c, *taps = index
    channel = k // (shape[1] // op.window.groups) * shapes[1][1] + c  # each group of filters sees its own channels
    # Per axis and place of the filter, the pixel under the tap; None in the padding.
    pixels: list[list[Any]] = []  # an index, or None
    for m, s, i, d, before, size in zip(
        shape[2:], op.window.stride, taps, op.window.dilation, op.window.before, shapes[0][2:], strict=True
    ):
        under = [p * s + i * d - before for p in range(m)]
        pixels.append([r if 0 <= r < size else None for r in under])
    places = []
    for n in range(shape[0]):
        for p, at in zip(np.ndindex(*shape[2:]), itertools.product(*pixels), strict=True):
            places.append(Place((n, k, *p), 0, None if None in at else (n, channel, *at)))
    letters = "pqr"[: len(taps)]
    met = ",".join(_affine(letter, s, i * d - before) for letter, s, i, d, before in _per_axis(op, letters, taps))
    everywhere = ",".join(letters)
    text = f"Σ over n,{everywhere} of {_arrived(z, f'n,{k},{everywhere}')} · {names[0]}[n,{channel},{met}]"
    return Rule(text, tuple(places))


def _pixel(op: Any, index: Index, shapes: tuple, shape: Index, names: list[str], z: str) -> Rule:
    n, channel, *pixel = index
    group, c = divmod(channel, shapes[1][1])
    filters = shape[1] // op.window.groups
    places = []
    for taps in np.ndindex(*shapes[1][2:]):
        # p · stride = pixel + before − i · dilation, if there is such a p
        starts = [(r + before - i * d, s) for r, s, i, d, before in _per_axis(op, pixel, taps)]
        p = tuple(start // s for start, s in starts)
        if all(start % s == 0 for start, s in starts) and all(0 <= q < m for q, m in zip(p, shape[2:], strict=True)):
            places += [Place((n, k, *p), 1, (k, c, *taps)) for k in range(group * filters, (group + 1) * filters)]
    places.sort(key=lambda place: place.z)
    letters = "ijl"[: len(pixel)]
    met = ",".join(
        _tap(letter, r + before, d, s)
        for letter, (r, s, _, d, before) in zip(letters, _per_axis(op, pixel, pixel), strict=True)
    )
    text = f"Σ over k,{','.join(letters)} of {names[1]}[k,{c},{','.join(letters)}] · {_arrived(z, f'{n},k,{met}')}"
    return Rule(text, tuple(places))


def _per_axis(op: Any, first: Sequence[int] | str, taps: Sequence[int]) -> Iterator[tuple]:
    """Per axis: the first, the stride, the tap, the dilation, the padding before."""
    return zip(first, op.window.stride, taps, op.window.dilation, op.window.before, strict=True)


def _affine(letter: str, scale: int, shift: int) -> str:
    """`2p+1`"""
    text = letter if scale == 1 else f"{scale}{letter}"
    return text if shift == 0 else f"{text}{'+' if shift > 0 else '−'}{abs(shift)}"


def _tap(letter: str, start: int, dilation: int, stride: int) -> str:
    """`(5−2i)/2`: where the tap lies over the pixel"""
    text = f"{start}−{letter if dilation == 1 else f'{dilation}{letter}'}"
    return text if stride == 1 else f"({text})/{stride}"


def _pool(op: Any, x: str, index: Index, shapes: tuple, shape: Index, names: list[str], z: str) -> Rule:
    """The windows that hold a pixel."""
    n, c, *pixel = index
    window, ranges = op.window, []
    for r, k, s, before, d, m in zip(
        pixel, window.kernel, window.stride, window.before, window.dilation, window.output, strict=True
    ):
        starts = [r + before - i * d for i in range(k)]
        ranges.append(sorted({start // s for start in starts if start % s == 0 and 0 <= start // s < m}))
    places = tuple(Place((n, c, *p)) for p in itertools.product(*ranges))
    letters = ",".join("pqr"[: len(pixel)])
    if op.name == "max_pool":
        return Rule(f"Σ {_arrived(z, f'{n},{c},{letters}')} over the windows ({letters}) whose maximum it is", places)
    return Rule(f"Σ {_arrived(z, f'{n},{c},{letters}')} / size over the windows ({letters}) that hold it", places)


def window(op: Any, shapes: tuple, place: Index) -> tuple[np.ndarray, ...]:
    """The rows and columns of the input that the window at `place` sees, padding included: one array per axis."""
    axes = zip(place[2:], op.window.starts(), op.window.dilation, op.window.kernel, strict=True)
    return tuple(starts[p] + d * np.arange(k) for p, starts, d, k in axes)


_FAMILIES = {
    "linear": _linear,
    "matmul": _matmul,
    "convolution": _convolution,
    "max_pool": _pool,
    "avg_pool": _pool,
}


def met_label(place: Place, link: Link, words: Words, local: float) -> str:
    """What the element met, by name: `x[0,2]`; the share of a mean."""
    if link.step.op.name == "avg_pool":
        return f"1/{round(1 / local)}"
    if place.position is None:
        return ""
    return "0 (padding)" if place.met is None else element(words[link.step.inputs[place.position]], place.met)
