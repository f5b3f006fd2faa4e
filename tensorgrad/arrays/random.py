"""The package's random generator."""

import operator
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tensorgrad.arrays.seeded import Block, Blocks
from tensorgrad.errors import ArgumentError, DTypeError, describe, restate, restated
from tensorgrad.system.forks import wait_for


def fresh_seed() -> int:
    """A seed of 63 bits from the system's randomness."""
    return secrets.randbits(63)


_seed = fresh_seed()
_generator = np.random.default_rng(_seed)
wait_for(_generator.bit_generator.lock)  # NumPy holds the lock while it draws numbers


_blocks = Blocks()


@contextmanager
def seeded(seed: int) -> Iterator[np.random.Generator]:
    """Draw this thread's random numbers from a generator of its own, in a `with` block; other threads don't see it.

    The same seed gives the same weights, masks and batches, whatever other threads draw meanwhile, and the package's
    generator keeps its state. In the block `manual_seed` seeds this generator. A generator function that yields in the
    block goes on with its own numbers, whatever blocks were entered meanwhile; so do coroutines.

    Args:
        seed: an int ≥ 0.

    Raises:
        ArgumentError: a negative seed.
        DTypeError: a seed that isn't an int.

    >>> import tensorgrad as tg
    >>> with tg.seeded(0):
    ...     a = tg.rand(3)
    >>> with tg.seeded(0):
    ...     b = tg.rand(3)
    >>> bool((a == b).all())
    True
    """
    with restated("seeded", seed=seed):
        generator = np.random.default_rng(operator.index(seed))
    block = Block(generator, operator.index(seed), sys._getframe(1))
    opened = _blocks.opened
    opened.append(block)
    try:
        yield generator
    finally:
        opened.remove(block)  # not always the last: a generator function may end before one that began later


def manual_seed(seed: int) -> np.random.Generator:
    """Seed the package's generator, and return it; the same seed gives the same numbers.

    Args:
        seed: an int ≥ 0.

    Raises:
        ArgumentError: a negative seed.
        DTypeError: a seed that isn't an int.

    >>> import tensorgrad as tg
    >>> _ = tg.manual_seed(0); a = tg.rand(3)
    >>> _ = tg.manual_seed(0); b = tg.rand(3)
    >>> bool((a == b).all())
    True
    """
    global _seed
    # The state is replaced, not the object, so that all references to the generator see the new seed.
    with restated("manual_seed", seed=seed):
        generator = default_generator()
        generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    block = _blocks.current()
    if block is not None:
        block.seed = int(seed)
    else:
        _seed = int(seed)
    return generator


def initial_seed() -> int:
    """The seed that the package's generator was last given.

    >>> import tensorgrad as tg
    >>> _ = tg.manual_seed(5)
    >>> tg.initial_seed()
    5
    """
    block = _blocks.current()
    return _seed if block is None else block.seed


def checked_generator(call: str, generator: np.random.Generator | None) -> np.random.Generator:
    """The generator that was passed, or the thread's or package's for None. Raises DTypeError for anything else."""
    if generator is None:
        return default_generator()
    if not isinstance(generator, np.random.Generator):
        fix = "np.random.default_rng(seed) makes one"
        problem = f"generator must be a numpy.random.Generator or None, got {type(generator).__name__}"
        raise DTypeError(restate(call, problem, fix=fix, generator=generator))
    return generator


def default_generator() -> np.random.Generator:
    """The package's generator, the default of all functions that draw random numbers; `tg.manual_seed` seeds it.

    >>> import tensorgrad as tg
    >>> tg.default_generator() is tg.manual_seed(0)
    True
    """
    block = _blocks.current()
    return _generator if block is None else block.generator


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted for PyTorch's scripts, without effect: one seed and one number of threads always give the same bits.

    >>> import tensorgrad as tg
    >>> tg.use_deterministic_algorithms(True)
    """
    for name, value in (("mode", mode), ("warn_only", warn_only)):
        if not isinstance(value, (bool, np.bool_)):
            problem = f"{name} must be True or False, got {describe(value)}"
            raise ArgumentError(restate("use_deterministic_algorithms", problem))
