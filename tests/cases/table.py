"""What a row of the table says, and the inputs that follow from it.

A row is one function of tensors with its NumPy reference, its PyTorch counterpart and its samples. The tests of
`ops/test_table.py` and `ops/test_oracle.py` are run on every sample of every row, so an op is tested by having a row.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np

# ------------------------------------------------------------------------------------------------------------- domains

Domain = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng, shape):
    """Any number."""
    return rng.standard_normal(shape)


def between(low, high):
    """Numbers from low to high."""
    return lambda rng, shape: rng.uniform(low, high, shape)


positive = between(0.3, 3.0)


def nonzero(rng, shape):
    """Numbers of either sign, at least 0.4 from zero."""
    return rng.uniform(0.4, 2.5, shape) * rng.choice([-1.0, 1.0], shape)


def between_halves(rng, shape):
    """Numbers at least 0.1 from every multiple of ½: the kinks and jumps of abs, relu, floor, round, clip lie there."""
    return (rng.integers(-6, 6, shape) + rng.uniform(0.2, 0.8, shape)) / 2


def halves(rng, shape):
    """Multiples of ½ other than zero: never within 0.1 of a number `between_halves`."""
    return rng.integers(1, 5, shape) * rng.choice([-0.5, 0.5], shape)


def apart(rng, shape):
    """Numbers at least 0.1 from one another, so that a small step changes no maximum."""
    size = int(np.prod(shape))
    return (0.2 * (rng.permutation(size) - size / 2) + rng.uniform(-0.05, 0.05, size)).reshape(shape)


def bools(rng, shape):
    """True or False."""
    return rng.random(shape) < 0.5


def integers(low, high):
    """Whole numbers, low ≤ k < high, as int64."""
    return lambda rng, shape: rng.integers(low, high, shape)


# ---------------------------------------------------------------------------------------------------------------- rows


class Sample(NamedTuple):
    """The inputs of one case, each a shape to fill from the row's domain or an array as it is, and keywords."""

    inputs: tuple[Any, ...]
    params: dict[str, Any]
    smooth: bool


def sample(*inputs: Any, smooth: bool = True, **params: Any) -> Sample:
    """One case. Not `smooth`: at a kink or a tie, where finite differences say nothing and only PyTorch is asked."""
    return Sample(inputs, params, smooth)


class Bad(NamedTuple):
    """A call that must be refused: the error it raises, and words that its message holds."""

    call: Callable[[], Any]
    error: type[Exception]
    words: tuple[str, ...]


def bad(call: Callable[[], Any], error: type[Exception], *words: str) -> Bad:
    return Bad(call, error, words)


@dataclass(frozen=True, eq=False)
class Row:
    """One op, or one way to call it.

    Attributes:
        name: the public function; after a slash, which use of it this is.
        function: tensors and keyword arguments -> one tensor.
        reference: the same on float64 ndarrays, written in other words than the op.
        torch: PyTorch's counterpart: a dotted name below `torch`, or a function of the module `torch` and the tensors.
        samples: the cases.
        domains: where each input's numbers lie; the last one holds for the rest.
        result: the dtype of the result; None: that of the float inputs.
        differentiable, twice: whether gradients flow, and whether second derivatives are more than zeros.
        float16: whether half precision is taken.
        integers: what integer inputs give: "float" (float32), "same" (an integer), "" (not asked).
        special: whether the reference says what NaN and ±∞ give.
        errors: bad calls.
        rules: what a derivative says that the op writes on its edges and no other op does, as a function of the numbers
            x, y, z and the op's parameters.
    """

    name: str
    function: Callable[..., Any]
    reference: Callable[..., Any]
    torch: str | Callable[..., Any] | None
    samples: list[Sample]
    domains: tuple[Domain, ...] = (normal,)
    result: Any = None
    differentiable: bool = True
    twice: bool = True
    float16: bool = True
    integers: str = ""
    special: bool = True
    errors: list[Bad] = field(default_factory=list)
    rules: dict[str, Callable[..., float]] = field(default_factory=dict)

    @property
    def public_name(self) -> str:
        return self.name.partition("/")[0]


class Case:
    """One sample of one row."""

    def __init__(self, row: Row, number: int) -> None:
        self.row, self.number = row, number
        self.sample = row.samples[number]
        self.params, self.smooth = self.sample.params, self.sample.smooth

    def __repr__(self) -> str:
        return self._name

    @cached_property  # twenty tests name each case, in each process
    def _name(self) -> str:
        shapes = ",".join("x".join(map(str, x.shape)) or "scalar" for x in self._float64)
        return f"{self.row.name}-{self.number}-{shapes or 'none'}"

    @cached_property
    def _float64(self) -> list[np.ndarray]:
        rng = np.random.default_rng([zlib.crc32(self.row.name.encode()), self.number])
        domains = self.row.domains
        return [
            x if isinstance(x, np.ndarray) else np.asarray(domains[min(k, len(domains) - 1)](rng, x))
            for k, x in enumerate(self.sample.inputs)
        ]

    def inputs(self, dtype: Any = np.float64) -> list[np.ndarray]:
        """Fresh arrays: the floats of `dtype`, integers and bools as they are."""
        return [x.astype(dtype) if x.dtype.kind == "f" else x.copy() for x in self._float64]

    def call(self, *tensors: Any) -> Any:
        """The function on these tensors."""
        return self.row.function(*tensors, **self.params)

    def reference(self, *arrays: np.ndarray) -> np.ndarray:
        """The reference on these arrays, floats taken as float64."""
        wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
        with np.errstate(all="ignore"):
            return np.asarray(self.row.reference(*wide, **self.params))

    def torch_call(self, torch: Any, *tensors: Any) -> Any:
        """PyTorch's counterpart on its own tensors."""
        counterpart = self.row.torch
        if not isinstance(counterpart, str):
            return counterpart(torch, *tensors, **self.params)
        renamed = {{"axis": "dim", "keepdims": "keepdim"}.get(name, name): value for name, value in self.params.items()}
        return reduce(getattr, counterpart.split("."), torch)(*tensors, **renamed)

    def upstream(self, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
        """A random upstream gradient, the same each time."""
        return np.random.default_rng([3, self.number]).standard_normal(shape).astype(dtype)


def extended(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """A NumPy function in the widest float there is: the op's own routine on fewer bits can't hide behind it."""

    def reference(*arrays, **params):
        wide = [x.astype(np.longdouble) if x.dtype.kind == "f" else x for x in arrays]
        return np.asarray(function(*wide, **params)).astype(np.float64)

    return reference


UNARY = [sample(shape) for shape in ((), (3,), (2, 3), (2, 1, 4), (0,), (2, 0, 3))]
BINARY = [
    sample(*shapes)
    for shapes in (
        ((), ()),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3, 1), (2, 1, 4)),
        ((), (2, 3)),
        ((1, 1, 2), ()),
        ((0,), (0,)),
        ((2, 0), (1,)),
        ((1, 1), (3, 0)),
    )
]
