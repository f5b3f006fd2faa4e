"""Writes an explanation: the forward computation, then section by section the backward pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tensorgrad.viz.explain.explanation import Explanation
from tensorgrad.viz.explain.sections.checking import Check
from tensorgrad.viz.explain.sections.expansion import Expansion
from tensorgrad.viz.explain.sections.routes import STEPS, Routes
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import Block, Heading, Prose, Table
from tensorgrad.viz.format.notation import few, inline, numeral, plain


@dataclass(frozen=True)
class Options:
    """Arguments of `explain` that say what to write."""

    cost: Callable[[], Any] | None
    check: bool
    max_paths: int
    max_terms: int


def write(subject: Subject, options: Options) -> Explanation:
    """The explanation of a subject."""
    routes = Routes(subject, options.max_paths)
    # In the order of reading: names are numbered in the order of their first use.
    blocks = [*_title(subject), *_forward(subject, routes), *routes.each(), *routes.total()]
    expansion = Expansion(subject, routes, options.max_terms)
    blocks += expansion.blocks
    check = Check(subject, routes.sum, options.cost) if options.check else None
    return Explanation(
        name=plain(subject.name),
        index=subject.index,
        count=routes.count,
        paths=routes.taken,
        gradient=subject.value(subject.gradient),
        path_sum=None if routes.sum is None else subject.value(routes.sum),
        terms=expansion.terms,
        difference=check.difference if check else None,
        expected=check.expected if check else None,
        _blocks=(*blocks, *(check.blocks if check else ())),
    )


def _title(subject: Subject) -> list[Block]:
    value, shape = subject.replay.values.get(subject.key), subject.gradient.shape
    now = ""
    if value is not None and subject.one_number:
        now = f" = {numeral(value[subject.index or (0,) * value.ndim])}"
    loss = inline(f"L = {numeral(subject.loss)}")
    text = f"How does the loss {loss} change with {inline(subject.symbol + now)}?"
    if subject.index:
        text += f" It is one of the {math.prod(shape):,} elements of {subject.name} {theme.sizes(shape)}."
    elif shape:
        text += f" It holds {math.prod(shape):,} numbers, {theme.sizes(shape)}; index=… explains one of them."
    return [Heading(f"The chain rule for {inline(subject.goal)}"), Prose(text)]


def _forward(subject: Subject, routes: Routes) -> list[Block]:
    """The steps on the listed paths, and those of their inputs that have no name of the user's."""
    taken = {link.step for path in routes.paths for link in path}
    words, rows, met = subject.words, [], {subject.key}
    for step in subject.computation.steps:
        if step not in taken:
            continue
        for key, shape in zip(step.inputs, step.input_shapes, strict=True):
            if key not in met and words.invented(key):
                rows.append((words[key], theme.sizes(shape), words.origin(key)))
            met.add(key)
        met.add(step.output)
        value = subject.replay.values.get(step.output)
        is_scalar = value is not None and value.ndim == 0
        result = f"= {numeral(value.item())}" if value is not None and is_scalar else theme.sizes(step.shape)
        rows.append((words.definition(step), result, ""))
    gap = (f"… {len(rows) - 2 * (STEPS // 2):,} more", "", "")
    return [Heading("Forward: what was computed"), Table(("", "", ""), "ltt", tuple(few(rows, STEPS, gap)))]
