"""Rows of tensorgrad/ops/sampling/: new tensors. Random ones are compared with NumPy's draws from the same seed."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, sample


def seeded(function):
    return function(np.random.default_rng(5))


def drawn(name, function, reference, result=np.float64, errors=()):
    """Whatever a random function gives from the seed 5."""
    return Row(
        name,
        lambda: seeded(function),
        lambda: seeded(reference),
        None,
        [sample()],
        result=result,
        differentiable=False,
        errors=list(errors),
    )


X = np.linspace(0.1, 0.9, 6).reshape(2, 3)
STATE = tg.Generator().manual_seed(7).get_state()


def after(effect, value):
    """A tensor, made when something has been done."""
    return lambda: (effect(), tg.as_tensor(value()))[1]


ROWS = [
    Row(
        "empty",
        lambda: tg.empty(2, 0, 3, dtype="int64"),
        lambda: np.zeros((2, 0, 3)),
        lambda torch: torch.empty(2, 0, 3, dtype=torch.int64),
        [sample()],
        result=np.int64,
        differentiable=False,
        errors=[
            bad(lambda: tg.empty(2, -1), tg.ArgumentError, "empty", "negative"),
            bad(lambda: tg.empty(2, device="cuda"), tg.ArgumentError, "cuda", "cpu"),
            bad(lambda: tg.empty(2, out=tg.zeros(2)), tg.ArgumentError, "empty", "`out`", "copy_"),
            bad(lambda: tg.empty(2, colour="red"), tg.DTypeError, "empty", "'colour'"),
            bad(lambda: tg.empty(2, dtype="int64", requires_grad=True), tg.DTypeError, "must be a float, got int64"),
        ],
    ),
    Row(
        "empty_like",
        lambda: tg.empty_like(tg.zeros(0, 3)),
        lambda: np.zeros((0, 3)),
        lambda torch: torch.empty_like(torch.zeros(0, 3)),
        [sample()],
        result=np.float32,
        differentiable=False,
    ),
    Row(
        "full_like",
        lambda: tg.full_like(tg.zeros(2, 3, dtype="int64"), 5),
        lambda: np.full((2, 3), 5),
        lambda torch: torch.full_like(torch.zeros(2, 3, dtype=torch.int64), 5),
        [sample()],
        result=np.int64,
        differentiable=False,
        errors=[
            bad(lambda: tg.full_like(tg.zeros(2), tg.ones((), requires_grad=True)), tg.GraphError, "would be lost"),
        ],
    ),
    drawn(
        "rand_like",
        lambda g: tg.rand_like(X, generator=g),
        lambda g: g.random((2, 3)),
        errors=[bad(lambda: tg.rand_like(tg.arange(3)), tg.DTypeError, "rand_like", "float dtype, got int64")],
    ),
    drawn("randn_like", lambda g: tg.randn_like(X, generator=g), lambda g: g.standard_normal((2, 3))),
    drawn(
        "randint_like",
        lambda g: tg.randint_like(X, 9, generator=g),
        lambda g: g.integers(0, 9, (2, 3)),
        errors=[bad(lambda: tg.randint_like(tg.zeros(2), 3, 3), tg.ArgumentError, "randint_like", "got 3 and 3")],
    ),
    drawn(
        "randint_like/from low",
        lambda g: tg.randint_like(tg.zeros(2), -3, 4, generator=g, dtype="int64"),
        lambda g: g.integers(-3, 4, 2),
        np.int64,
    ),
    drawn(
        "normal",
        lambda g: tg.normal(X, X[0], generator=g),
        lambda g: X + X[0] * g.standard_normal((2, 3)),
        errors=[
            bad(lambda: tg.normal(tg.zeros(2), -1.0), tg.ArgumentError, "normal", "std must be ≥ 0"),
            bad(lambda: tg.normal(0.0, 1.0), tg.ArgumentError, "normal", "size must be given"),
        ],
    ),
    drawn("normal/numbers", lambda g: tg.normal(1.0, 2.0, (2,), generator=g), lambda g: g.normal(1, 2, 2), np.float32),
    drawn(
        "bernoulli",
        lambda g: tg.bernoulli(X, generator=g),
        lambda g: g.random((2, 3)) < X,
        errors=[
            bad(lambda: tg.bernoulli(tg.tensor([1.5])), tg.ArgumentError, "bernoulli", "in [0, 1]"),
            bad(lambda: tg.bernoulli(tg.tensor([1])), tg.DTypeError, "bernoulli", "floats"),
        ],
    ),
    drawn("bernoulli/p", lambda g: tg.bernoulli(X, 0.5, generator=g), lambda g: g.random((2, 3)) < 0.5),
    drawn(
        "multinomial",
        lambda g: tg.multinomial(X, 2, generator=g),
        lambda g: np.argsort(g.standard_exponential((2, 3)) / X, -1)[:, :2],
        np.int64,
        [
            bad(lambda: tg.multinomial(tg.tensor([1.0, -1.0]), 1), tg.ArgumentError, "multinomial", "≥ 0"),
            bad(lambda: tg.multinomial(tg.zeros(2), 1), tg.ArgumentError, "multinomial", "one of a row > 0"),
            bad(lambda: tg.multinomial(tg.tensor([1.0, 0.0]), 2), tg.ArgumentError, "2 weights > 0", "replacement"),
            bad(lambda: tg.multinomial(tg.zeros(1, 1, 1), 1), tg.ShapeError, "multinomial", "one or two axes"),
        ],
    ),
    *(
        Row(name, function, reference, None, [sample()], result=result, differentiable=False)
        for name, function, reference, result in (
            (
                "get_rng_state",
                after(lambda: tg.manual_seed(7), tg.get_rng_state),
                lambda: STATE.numpy(),
                np.uint8,
            ),
            (
                "set_rng_state/then rand",
                after(lambda: tg.set_rng_state(STATE), lambda: tg.rand(3, dtype="float64")),
                lambda: np.random.default_rng(7).random(3),
                np.float64,
            ),
            ("seed/is kept", lambda: tg.as_tensor(tg.seed() == tg.initial_seed()), lambda: np.array(True), np.bool_),
        )
    ),
]
