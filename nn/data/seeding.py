"""Generators for shuffling, and their states as JSON can hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.arrays.random import default_generator
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.state import is_count


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
    prepare_generator_state(call, generator, state)()


def prepare_generator_state(call: str, generator: np.random.Generator, state: Any) -> Callable[[], None]:
    """Check a state of `generator_state`, and return the function that puts it back, which can't fail.

    NumPy believes what it is given: a place in the buffer of a Mersenne Twister that the buffer doesn't have would be
    read from. So the state must look like the generator's own, number by number, and come back from a copy unchanged.

    Raises:
        ArgumentError: the state of another kind of generator, or of none.
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
            problem = "" if _without_arrays(copy.state) == state else "it has numbers that the generator can't have"
    if problem:
        expected = f"a state of {type(bits).__name__}"
        problem = f"the generator can't take the saved state ({problem})"
        raise ArgumentError(restate(call, problem, expected=expected, state=state))

    def load() -> None:
        bits.state = state

    return load


def _unlike(own: Any, state: Any, key: str = "state") -> str:
    """What in a state isn't as in the generator's own, if anything: keys, lengths, kinds, and places in buffers."""
    if isinstance(own, dict):
        if not isinstance(state, dict) or state.keys() != own.keys():
            return f"{key} doesn't have the keys {sorted(own)}"
        places = {"pos": "key", "buffer_pos": "buffer"}  # in the list of that name
        for name, place in ((name, state[name]) for name in places if name in state):
            if not is_count(place) or place > len(own[places[name]]):
                return f"{name} is outside its buffer"
        return next(filter(None, (_unlike(own[name], state[name], name) for name in own)), "")
    if isinstance(own, list):
        fits = isinstance(state, list) and len(state) == len(own) and all(map(is_count, state))
        return "" if fits else f"{key} isn't a list of {len(own)} whole numbers"
    if isinstance(own, int):
        return "" if is_count(state) else f"{key} isn't a whole number ≥ 0"
    return "" if own == state else f"{key} is {state!r}, not {own!r}"


def _without_arrays(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _without_arrays(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.integer) else state
