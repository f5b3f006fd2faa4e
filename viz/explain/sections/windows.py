"""The patches that a filter's weight was applied to, and the windows that a pixel was pooled in, as small tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from tensorgrad.viz.explain.computation import Link
from tensorgrad.viz.explain.explanation import Term
from tensorgrad.viz.explain.places import Index, window
from tensorgrad.viz.explain.words import Words
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import Block, Prose, Table
from tensorgrad.viz.format.notation import element, inline, numeral, partial
from tensorgrad.viz.record.steps import Key

LARGEST = 7
"""Larger windows are not written out."""

SHOWN = 4
"""So many windows of a pooling are written out, and one patch of a convolution."""


def windows_of(
    link: Link, index: Index, terms: Sequence[Term], values: Mapping[Key, np.ndarray], words: Words
) -> list[Block]:
    """Patches and windows for the terms of a convolution's weight or a pooled pixel; nothing for other ops."""
    op, step = cast(Any, link.step.op), link.step
    image = values.get(step.inputs[0])
    if image is None or not terms or image.ndim > 4:  # a volume isn't written out
        return []
    if op.name == "convolution" and link.position == 1:
        return _patch(link, index, max(terms, key=lambda term: abs(term.value)), image, words)
    if op.name == "max_pool" and all(k <= LARGEST for k in op.window.kernel):
        return [block for term in terms[:SHOWN] for block in _pooled(link, index, term, image, words)]
    return []


def _patch(link: Link, index: Index, term: Term, image: np.ndarray, words: Words) -> list[Block]:
    """The patch under the filter at the largest term; the pixel under the weight stands in brackets."""
    step = link.step
    if any(k > LARGEST for k in step.input_shapes[1][2:]):
        return []
    k, c, *taps = index
    channel = k // (step.shape[1] // cast(Any, step.op).window.groups) * step.input_shapes[1][1] + c
    x, z = words[step.inputs[0]], element(words[step.output], term.place)
    plane = inline(element(x, (term.place[0], channel)))
    text = f"At the largest term the filter lay on this patch of {plane}, for {inline(z)}"
    return [
        Prose(f"{text}; the weight met the pixel in brackets:"),
        _grid(image[term.place[0], channel], window(step.op, step.input_shapes, term.place), tuple(taps)),
    ]


def _pooled(link: Link, index: Index, term: Term, image: np.ndarray, words: Words) -> list[Block]:
    """A window that holds the pixel, which stands in brackets, and whether it is the maximum."""
    step = link.step
    pixels = window(step.op, step.input_shapes, term.place)
    inside = tuple(int(np.flatnonzero(axis == r)[0]) for axis, r in zip(pixels, index[2:], strict=True))
    place = ",".join(map(str, term.place[2:]))
    gradient = inline(f"{partial('L', element(words[step.output], term.place))} = {numeral(term.upstream)}")
    if term.local:
        text = f"Window ({place}): the pixel, in brackets, is its maximum and gets its gradient, {gradient}."
    else:
        text = f"Window ({place}): the pixel, in brackets, isn't its maximum, so {gradient} goes to another."
    return [Prose(text), _grid(image[term.place[0], term.place[1]], pixels, inside)]


def _grid(channel: np.ndarray, pixels: tuple[np.ndarray, ...], marked: Index) -> Table:
    """A window of an image as numbers, a dot in the padding; a signal is one row."""
    columns = pixels[-1]
    rows = pixels[0] if len(pixels) == 2 else np.zeros(1, int)
    plane = channel if channel.ndim == 2 else channel[None]
    mark = marked if len(marked) == 2 else (0, *marked)
    body = []
    for i, r in enumerate(rows):
        inside = [0 <= r < plane.shape[0] and 0 <= q < plane.shape[1] for q in columns]
        cells = [theme.number(float(plane[r, q]), 3) if here else "·" for q, here in zip(columns, inside, strict=True)]
        body.append(tuple(f"[{cell}]" if (i, j) == mark else f"{cell} " for j, cell in enumerate(cells)))
    return Table(("",) * len(columns), "r" * len(columns), tuple(body))
