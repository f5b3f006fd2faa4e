"""Sources of random numbers as PyTorch knows them: `Generator`, and the state of the package's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays import random
from tensorgrad.arrays.dtypes import check_device
from tensorgrad.autograd.engine import constant
from tensorgrad.errors import ArgumentError, restate, restated
from tensorgrad.ops.operands import TensorLike, values

__all__: list[str] = []

WORD = 16
"""Bytes of each of the two large numbers in a state of PCG64."""


class Generator(np.random.Generator):
    """A source of random numbers with a seed of its own: NumPy's Generator with PyTorch's methods.

    Args:
        device: "cpu", the only one.

    Raises:
        ArgumentError: a device other than the CPU.

    >>> import tensorgrad as tg
    >>> a = tg.rand(3, generator=tg.Generator().manual_seed(0))
    >>> b = tg.rand(3, generator=tg.Generator().manual_seed(0))
    >>> tg.allclose(a, b)
    True
    """

    _seed: int

    def __init__(self, device: object = "cpu") -> None:
        check_device("Generator", device)
        self._seed = random.fresh_seed()
        super().__init__(np.random.PCG64(self._seed))

    def manual_seed(self, seed: int) -> Generator:
        """Seed the generator, and return it: the same numbers as of `tg.manual_seed(seed)`.

        Raises ArgumentError for a negative seed, DTypeError for one that isn't an int.
        """
        with restated("manual_seed", seed=seed):
            self.bit_generator.state = np.random.PCG64(seed).state
        self._seed = int(seed)
        return self

    def seed(self) -> int:
        """Seed the generator from the system's randomness, and return the seed."""
        self.manual_seed(random.fresh_seed())
        return self._seed

    def initial_seed(self) -> int:
        """The seed that the generator was last given."""
        return self._seed

    def get_state(self) -> Any:
        """The state as a tensor of bytes, for `set_state`."""
        return constant(packed(self))

    def set_state(self, new_state: TensorLike) -> None:
        """Continue from a state that `get_state` gave. Raises ArgumentError for anything else."""
        unpack("set_state", self, new_state)

    def __reduce__(self) -> Any:
        return _restored, (self._seed, packed(self))


def _restored(seed: int, state: np.ndarray) -> Generator:
    generator = Generator().manual_seed(seed)
    unpack("Generator", generator, state)
    return generator


def get_rng_state() -> Any:
    """The state of the package's generator as a tensor of bytes.

    >>> import tensorgrad as tg
    >>> state = tg.get_rng_state()
    >>> a = tg.rand(3)
    >>> tg.set_rng_state(state)
    >>> tg.allclose(tg.rand(3), a)
    True
    """
    return constant(packed(random.default_generator()))


def set_rng_state(new_state: TensorLike) -> None:
    """Let the package's generator continue from a state that `get_rng_state` gave.

    Raises:
        ArgumentError: anything else than such a state.
    """
    unpack("set_rng_state", random.default_generator(), new_state)


def seed() -> int:
    """Seed the package's generator from the system's randomness, and return the seed.

    >>> import tensorgrad as tg
    >>> tg.seed() == tg.initial_seed()
    True
    """
    random.manual_seed(random.fresh_seed())
    return random.initial_seed()


def packed(generator: np.random.Generator) -> np.ndarray:
    """The state of a generator in 40 bytes."""
    state = generator.bit_generator.state
    numbers = state["state"]["state"], state["state"]["inc"]
    text = b"".join([n.to_bytes(WORD, "little") for n in numbers])
    text += b"".join([int(state[name]).to_bytes(4, "little") for name in ("has_uint32", "uinteger")])
    return np.frombuffer(text, np.uint8).copy()


def unpack(call: str, generator: np.random.Generator, state: TensorLike) -> None:
    """Set the state of a generator from bytes. Nothing changes where they are no state."""
    with restated(call, new_state=state):
        array = values(state)
    text = array.tobytes()
    first, second = [int.from_bytes(text[k : k + WORD], "little") for k in (0, WORD)]
    has, rest = [int.from_bytes(text[k : k + 4], "little") for k in (2 * WORD, 2 * WORD + 4)]
    if array.dtype != np.uint8 or array.shape != (2 * WORD + 8,) or has > 1 or second % 2 == 0:
        problem, fix = f"new_state must be {2 * WORD + 8} bytes, a state", "pass what get_state() gave"
        raise ArgumentError(restate(call, problem, fix=fix, new_state=state))
    inner = {"state": first, "inc": second}
    generator.bit_generator.state = {"bit_generator": "PCG64", "state": inner, "has_uint32": has, "uinteger": rest}
