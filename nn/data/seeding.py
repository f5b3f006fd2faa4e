"""Generators for shuffling, and their states as values that JSON can represent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.arrays.random import default_generator
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.state import is_count


def as_generator(call: str, generator: np.random.Generator | int | None) -> np.random.Generator:
    """The generator itself, a new one for an int seed, or the package's for None. Raises DTypeError for others."""
    if isinstance(generator, np.random.Generator):
        return generator
    if generator is None:
        return default_generator()
    if isinstance(generator, int | np.integer) and not isinstance(generator, bool) and generator >= 0:
        return np.random.default_rng(int(generator))
    problem = "generator must be a numpy.random.Generator, an int seed ≥ 0, or None"
    raise DTypeError(restate(call, problem, generator=generator))


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The generator's state with lists for arrays, for JSON."""
    return _without_arrays(generator.bit_generator.state)


def set_generator_state(call: str, generator: np.random.Generator, state: dict[str, Any]) -> None:
    """Restore a state of `generator_state`. Raises ArgumentError for the state of another type of generator."""
    prepare_generator_state(call, generator, state)()


def prepare_generator_state(call: str, generator: np.random.Generator, state: Any) -> Callable[[], None]:
    """Check a state of `generator_state`, and return a function that restores it and can't fail.

    NumPy doesn't check states: a Mersenne Twister would read memory outside its buffer at a wrong position. So the
    state must have the structure of the generator's own, and a copy of the generator must accept it unchanged.

    Raises:
        ArgumentError: the state of another type of generator, or anything else.
    """
    bits = generator.bit_generator
    problem = _unlike(generator_state(generator), state)
    if not problem:
        copy = type(bits)(0)
        try:
            copy.state = state
        except Exception as error:
            problem = str(error)
        else:
            problem = "" if _without_arrays(copy.state) == state else "its numbers are out of range"
    if problem:
        problem = f"generator must be a state of {type(bits).__name__}: {problem}"
        raise ArgumentError(restate(call, problem, state=state))

    def load() -> None:
        bits.state = state

    return load


def _unlike(own: Any, state: Any, key: str = "state") -> str:
    """The first difference in structure from the generator's own state, if any: keys, lengths, types, positions."""
    if isinstance(own, dict):
        if not isinstance(state, dict) or state.keys() != own.keys():
            return f"{key} must have the keys {sorted(own)}"
        places = {"pos": "key", "buffer_pos": "buffer"}  # the position, and the list it is a position in
        for name, place in ((name, state[name]) for name in places if name in state):
            if not is_count(place) or place > len(own[places[name]]):
                return f"{name} is outside the buffer"
        return next(filter(None, (_unlike(own[name], state[name], name) for name in own)), "")
    if isinstance(own, list):
        fits = isinstance(state, list) and len(state) == len(own) and all(map(is_count, state))
        return "" if fits else f"{key} must be a list of {len(own)} ints ≥ 0"
    if isinstance(own, int):
        return "" if is_count(state) else f"{key} must be an int ≥ 0"
    return "" if own == state else f"{key} must be {own!r}, got {state!r}"


def _without_arrays(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _without_arrays(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.integer) else state
