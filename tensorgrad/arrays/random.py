"""Randomness: one NumPy Generator for the package, or one that the caller passes."""

import numpy as np

from tensorgrad.errors import DTypeError, restate, restated
from tensorgrad.system.forks import wait_for

_generator = np.random.default_rng()
wait_for(_generator.bit_generator.lock)  # NumPy holds it while it draws


def manual_seed(seed: int) -> np.random.Generator:
    """Start the package's generator anew from `seed`; the same seed gives the same numbers. Returns the generator.

    >>> import tensorgrad as tg
    >>> _ = tg.manual_seed(0); a = tg.rand(3)
    >>> _ = tg.manual_seed(0); b = tg.rand(3)
    >>> bool((a == b).all())
    True
    """
    # The state is replaced, not the object, so that whoever holds the generator sees the new seed too.
    with restated("manual_seed", seed=seed):
        _generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    return _generator


def checked_generator(call: str, generator: np.random.Generator | None) -> np.random.Generator:
    """The generator a call was given, or the package's own for None. Raises DTypeError for anything else."""
    if generator is None:
        return _generator
    if not isinstance(generator, np.random.Generator):
        fix = "np.random.default_rng(seed) makes one"
        raise DTypeError(
            restate(call, "no random generator", expected="a NumPy Generator", fix=fix, generator=generator)
        )
    return generator


def default_generator() -> np.random.Generator:
    """The generator that is used where a call gets none of its own."""
    return _generator
