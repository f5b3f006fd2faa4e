"""Generators for shuffling, and their states as JSON can hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.random import default_generator


def as_generator(call: str, generator: np.random.Generator | int | None) -> np.random.Generator:
    """The generator itself, one seeded with an int, or for None the one that `tensorgrad.manual_seed` seeds."""
    if isinstance(generator, np.random.Generator):
        return generator
    if generator is None:
        return default_generator()
    if isinstance(generator, int | np.integer) and not isinstance(generator, bool) and generator >= 0:
        return np.random.default_rng(int(generator))
    expected = "a numpy.random.Generator, an int seed ≥ 0, or None"
    raise DTypeError(restate(call, "no generator", expected=expected, generator=generator))


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The generator's state with lists in place of arrays: JSON-able, whatever the bit generator."""
    return _without_arrays(generator.bit_generator.state)


def set_generator_state(call: str, generator: np.random.Generator, state: dict[str, Any]) -> None:
    """Put back a state of `generator_state`; raises `ArgumentError` when it belongs to another kind of generator."""
    try:
        generator.bit_generator.state = state
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        problem = f"the generator can't take the saved state ({error})"
        expected = f"a state of {type(generator.bit_generator).__name__}"
        raise ArgumentError(restate(call, problem, expected=expected, state=state)) from None


def _without_arrays(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _without_arrays(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.integer) else state
