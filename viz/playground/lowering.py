"""One op as instructions of the scalar program, held to what the op itself computes."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.errors import TensorgradError
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.viz.playground.application import Application
from tensorgrad.viz.playground.functions import function_of
from tensorgrad.viz.playground.products import TooMany, find_products
from tensorgrad.viz.playground.reading import read
from tensorgrad.viz.playground.tape import Slots, Tape

MOST_RUNS = 20_000
"""How often one op is run at most, to find out what it is made of."""

TOLERANCE = 1e-6
"""The relative error from which on instructions aren't what the op computes; an op may round to float32."""


class Unplayable(Exception):
    """The page can't compute an op; the text says why."""


def lower(tape: Tape, applied: Application) -> Slots:
    """Write an op on the tape; returns the slots of its output.

    Raises:
        Unplayable: its formula can't be read, or what was read isn't what it computes.
    """
    start = len(tape.blocks)
    try:
        out = _written(tape, applied)
    except TooMany:
        raise Unplayable(f"it would have to be run more than {MOST_RUNS:,} times") from None
    except TypeError as error:
        raise Unplayable(str(error)) from None
    except TensorgradError as error:
        raise Unplayable(str(error).partition("\n")[0]) from None
    rng = np.random.default_rng(2)
    moved = [a + 0.1 * rng.standard_normal(a.shape) if a.dtype.kind == "f" else a for a in applied.arrays]
    for given in (applied.arrays, moved):
        values = np.array(tape.values)
        for slots, array in zip(applied.inputs, given, strict=True):
            values[slots] = array.ravel()
        found, expected = tape.run(values, start)[out], applied.at(given).ravel()
        if not same(found, expected, max(map(_largest, (*given, expected)), default=0.0)):
            raise Unplayable("its formula, as far as it can be read, isn't what it computes")
    return out


def same(found: np.ndarray, expected: np.ndarray, scale: float) -> bool:
    """Whether two arrays agree, up to rounding of numbers as large as `scale`; NaN and ∞ at the same places."""
    return np.allclose(found, expected, TOLERANCE, TOLERANCE * scale, equal_nan=True)


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0)) if array.dtype.kind == "f" else 0.0


def _written(tape: Tape, applied: Application) -> Slots:
    op, inputs, shape = applied.op, applied.inputs, applied.shape
    if isinstance(op, Elementwise):
        operands = (np.broadcast_to(x.reshape(a.shape), shape) for x, a in zip(inputs, applied.arrays, strict=True))
        return tape.mapped(function_of(op), [slots.ravel() for slots in operands])
    terms = find_products(applied, MOST_RUNS)
    if terms is None:
        return read(tape, applied)
    one = tape.constant(1.0)
    widest = max((len(part.operands) for part in terms), default=0)
    factors = []
    for part in terms:
        found = [inputs[p][elements] for p, elements in zip(part.operands, part.elements, strict=True)]
        factors.append(found + [np.full(len(part.at), one)] * (widest - len(found)))
    at, coefficients = ([*(part[k] for part in terms), np.array([])] for k in (1, 2))
    joined = [np.concatenate(column) for column in zip(*factors, strict=True)]
    return tape.products(math.prod(shape), np.concatenate(at), np.concatenate(coefficients), joined)
