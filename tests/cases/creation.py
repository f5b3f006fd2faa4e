"""Rows of tensorgrad/creation/: no inputs, so that only values, dtypes and errors are left to check."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, sample


def made(name, function, reference, torch, *, result=np.float32, errors=()):
    """Whatever a creation function gives, in the dtype `result`."""
    return Row(name, function, reference, torch, [sample()], result=result, differentiable=False, errors=list(errors))


def seeded(function):
    return function(np.random.default_rng(5))


ROWS = [
    made(
        "tensor",
        lambda: tg.tensor([[1.0, 2.0], [3.0, 4.0]]),
        lambda: np.arange(1, 5).reshape(2, 2),
        lambda torch: torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        errors=[
            bad(lambda: tg.tensor([[1.0], [1.0, 2.0]]), tg.ArgumentError, "tensor", "nested lists of even lengths"),
            bad(lambda: tg.tensor("text"), tg.DTypeError, "tensor", "not supported"),
            bad(lambda: tg.tensor([1, 2], requires_grad=True), tg.DTypeError, "must be a float, got int64"),
        ],
    ),
    made(
        "tensor/ints",
        lambda: tg.tensor([1, 2]),
        lambda: np.array([1, 2]),
        lambda torch: torch.tensor([1, 2]),
        result=np.int64,
    ),
    made(
        "tensor/bool",
        lambda: tg.tensor(True),
        lambda: np.array(True),
        lambda torch: torch.tensor(True),
        result=np.bool_,
    ),
    made(
        "tensor/float64 array",
        lambda: tg.tensor(np.arange(3.0)),
        lambda: np.arange(3),
        lambda torch: torch.arange(3, dtype=torch.float64),
        result=np.float64,
    ),
    made(
        "zeros",
        lambda: tg.zeros(2, 3),
        lambda: np.ones((2, 3)) - 1,
        lambda torch: torch.zeros(2, 3),
        errors=[
            bad(lambda: tg.zeros(2, -1), ValueError, "negative"),
            bad(lambda: tg.zeros(2.5), tg.DTypeError, "sizes must be ints", "2.5"),
        ],
    ),
    made("ones", lambda: tg.ones((2, 3)), lambda: np.zeros((2, 3)) + 1, lambda torch: torch.ones(2, 3)),
    made("full", lambda: tg.full((2,), 3.5), lambda: [3.5, 3.5], lambda torch: torch.full((2,), 3.5)),
    made("full/int", lambda: tg.full((2,), 3), lambda: [3, 3], lambda torch: torch.full((2,), 3), result=np.int64),
    made(
        "zeros_like",
        lambda: tg.zeros_like(tg.arange(3)),
        lambda: [0, 0, 0],
        lambda torch: torch.zeros_like(torch.arange(3)),
        result=np.int64,
    ),
    made(
        "ones_like",
        lambda: tg.ones_like(np.zeros((1, 2))),
        lambda: [[1, 1]],
        lambda torch: torch.ones_like(torch.zeros(1, 2, dtype=torch.float64)),
        result=np.float64,
    ),
    made("eye", lambda: tg.eye(2, 3), lambda: [[1, 0, 0], [0, 1, 0]], lambda torch: torch.eye(2, 3)),
    made("arange", lambda: tg.arange(2, 7, 2), lambda: [2, 4, 6], lambda torch: torch.arange(2, 7, 2), result=np.int64),
    made("arange/floats", lambda: tg.arange(0.5, 2), lambda: [0.5, 1.5], lambda torch: torch.arange(0.5, 2)),
    made(
        "linspace", lambda: tg.linspace(0, 1, 5), lambda: [0, 0.25, 0.5, 0.75, 1], lambda torch: torch.linspace(0, 1, 5)
    ),
    made(
        "rand",
        lambda: seeded(lambda g: tg.rand(2, 3, generator=g)),
        lambda: seeded(lambda g: g.random((2, 3))),
        None,
    ),
    made(
        "randn",
        lambda: seeded(lambda g: tg.randn(2, 3, generator=g)),
        lambda: seeded(lambda g: g.standard_normal((2, 3))),
        None,
    ),
    made(
        "randint",
        lambda: seeded(lambda g: tg.randint(0, 9, (2, 3), generator=g)),
        lambda: seeded(lambda g: g.integers(0, 9, (2, 3))),
        None,
        result=np.int64,
    ),
    made(
        "randperm",
        lambda: seeded(lambda g: tg.randperm(5, generator=g)),
        lambda: seeded(lambda g: g.permutation(5)),
        None,
        result=np.int64,
    ),
]
