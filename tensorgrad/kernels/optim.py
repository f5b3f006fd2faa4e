"""Update rules of optimizers as kernels: all parameters in one call, and each in one pass over its memory.

`rules.traced` notes the operations that a rule does; `update` compiles them to a loop over elements. The numbers of a
rule stay arguments of the kernel, so another learning rate or another step compiles nothing.

The kernels get a table of addresses, a row per parameter, so the parameters stay where they are; all but the column of
the gradients is the same in the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numba import carray

from tensorgrad.arrays.memory import addresses
from tensorgrad.kernels.arguments import as_contiguous
from tensorgrad.kernels.jit.dispatch import chunks_for, helper, kernel, run
from tensorgrad.kernels.jit.generated import execute
from tensorgrad.kernels.jit.views import pointer
from tensorgrad.kernels.rules import NUMBERS, RESULTS, SLOTS, Program, traced

# Multiply-adds that take as long as the update of one weight, by a rough measurement.
WORK = 6


class Table:
    """The weights of some parameters and what is kept for each: tuples (w, …) of contiguous arrays of one dtype."""

    def __init__(self, parameters: Sequence[tuple[np.ndarray, ...]]) -> None:
        self.parameters = parameters  # referred to here, so that the addresses stay theirs
        # (parameters · arrays,) -> (parameters, arrays), with w once more where the gradient's address will stand
        arrays = chain.from_iterable([(w, w, *kept) for w, *kept in parameters])
        self.rows = np.array(addresses(arrays)).reshape(len(parameters), -1)
        self.sizes = np.array([w.size for w, *_ in parameters])
        self.total, self.like = int(self.sizes.sum()), parameters[0][0].reshape(-1)

    def __reduce__(self) -> tuple:
        return Table, (self.parameters,)  # a copy's arrays lie elsewhere


def update(table: Table, gradients: Sequence[np.ndarray], program: Program) -> None:
    """Update all parameters of a table.

    Args:
        table: the weights and what is kept for each: the slots of the traced rule, in their order.
        gradients: of the dtype of the weights, float32 or float64.
        program: the traced rule.

    >>> w = np.array([4.0])
    >>> update(Table([(w,)]), [np.array([8.0])], traced(lambda w, g, state: w - 0.25 * g, (), 1))
    >>> w
    array([2.])
    """
    # What is copied here must live until the kernel has run.
    for g in gradients:
        if not g.flags.carray or not g.dtype.isnative:
            gradients = [as_contiguous(g) for g in gradients]
            break
    rows = table.rows.copy()  # several threads may use the table at once
    rows[:, 1] = addresses(gradients)
    compiled = _kernel_of(program.operations, program.results, len(program.numbers))
    run(compiled, (rows, table.sizes, program.numbers, table.like), chunks_for(table.total, WORK * table.total))


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of a kernel, for the warm-up: plain gradient descent. The optimizers have samples of their own."""
    table, program = Table([(np.ones(2, dtype),)]), traced(lambda w, g, state: w - 0.1 * g, (), 1)
    yield "gradient_descent", lambda: update(table, [np.ones(2, dtype)], program)


@cache
def _kernel_of(operations: tuple[str, ...], results: tuple[str, ...], numbers: int) -> Callable[..., None]:
    """The kernel that does the operations for each element of each parameter."""
    slots = SLOTS[: len(results) - 1]
    each = zip(RESULTS, operations[::3], operations[1::3], operations[2::3], strict=False)
    pairs = zip((*slots, "w"), results, strict=True)
    source = f"""
def update(table, sizes, numbers, like, index, chunks):
    number = like.dtype.type
    {"; ".join(f"{n} = number(numbers[{k}])" for k, n in enumerate(NUMBERS[:numbers]))}
    for p in range(len(table)):
        first, last = chunk_range(sizes, p, index, chunks)
        {"; ".join(f"{x}_ = elements(table, p, {k}, first, last, like)" for k, x in enumerate(("w", "g", *slots)))}
        for k in range(len(w_)):
            {"; ".join(f"{x} = {x}_[k]" for x in ("w", "g", *slots))}
            {"; ".join(f"{name} = {template.format(*names)}" for name, template, *names in each)}
            {"; ".join(f"{x}_[k] = {new}" for x, new in pairs if new != x)}
"""
    # Under the name of this file the compiled kernel is kept beside the others.
    space: dict[str, Any] = {"__name__": __name__, "np": np, "chunk_range": _chunk_range, "elements": _elements}
    execute(source, __file__, space)
    return kernel(space["update"])


@kernel
def _chunk_range(sizes, p, index, chunks):
    """The range of elements of parameter p in a chunk: the parameters are cut as if they were one array."""
    total, before = 0, 0
    for k in range(len(sizes)):
        before += sizes[k] if k < p else 0
        total += sizes[k]
    first, last = total * index // chunks - before, total * (index + 1) // chunks - before
    return max(0, first), min(sizes[p], last)


@helper
def _elements(table, p, column, first, last, like):
    """The elements from first to last of an array of parameter p."""
    return carray(pointer(table[p, column] + first * like.itemsize, like), max(0, last - first))
