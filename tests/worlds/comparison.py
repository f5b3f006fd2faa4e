"""The same events in two worlds, one of which has its function compiled."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg
from worlds import functions
from worlds.calls import CALLS, many_calls
from worlds.changes import CHANGES
from worlds.choices import pick
from worlds.sight import seen
from worlds.world import World

THREADS = tg.kernels.dispatch.get_num_threads()


def on_tensors(function: Callable) -> Callable:
    """The function, given tensors in place of ndarrays, as the compiled one is."""

    def call(*args: Any, **named: Any) -> Any:
        return function(*[tg.tensor(x) if isinstance(x, np.ndarray) else x for x in args], **named)

    return call


class Difference(AssertionError):
    """The compiled function did something else than the function."""


def live(seed: int, events: int = 12) -> World:
    """Let the same events befall two worlds, and return the compiled one. Raises `Difference` where they differ."""
    functions.GLOBAL_SCALE, functions.GLOBAL_SHIFT = 1.0, None
    worlds = World(seed, tg.compile), World(seed, on_tensors)
    choices, happened = np.random.default_rng((seed, 1)), []
    try:
        for k in range(events):
            event = many_calls if k == 0 else pick(choices, CALLS if k % 2 == 0 else CHANGES)
            happened.append(event.__name__)
            found = [_befalls(event, w, np.random.default_rng((seed, 2, k))) for w in worlds]
            if found[0] != found[1]:
                problem = f"world {seed}, {worlds[0].kind}: {_place(*found)} differs after {', '.join(happened)}"
                raise Difference(problem)
    finally:
        tg.kernels.dispatch.set_num_threads(THREADS)
    return worlds[0]


def _befalls(event: Callable, w: World, rng: np.random.Generator) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # some functions run as they are, and say so
        return seen([event(w, rng), w.everything()])


def _place(one: Any, other: Any, path: str = "") -> str:
    """Where two values differ."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return _place(a, b, f"{path}[{k}]")
    return f"{path}: {str(one)[:200]} and {str(other)[:200]}"
