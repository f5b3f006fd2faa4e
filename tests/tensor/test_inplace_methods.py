"""`x.add_(y)` and its kin: the function's values and gradients, in the memory of x, as PyTorch's methods do."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.tensor.inplace import InPlaceMethods

RNG = np.random.default_rng(0)
INDEX, MASK = np.array([2, 0]), np.array([True, False, True])

# name -> the domain of x, then the other arguments: shapes of tensors to fill, arrays and numbers as they are.
CALLS = {
    "add_": ("any", [(3,)]),
    "sub_": ("any", [(3,)]),
    "mul_": ("any", [(2, 3)]),
    "div_": ("any", [2.0]),
    "floor_divide_": ("positive", [0.4]),
    "remainder_": ("positive", [0.4]),
    "pow_": ("positive", [3]),
    "clamp_": ("any", [-0.5, 0.5]),
    "clamp_max_": ("any", [0.5]),
    "clamp_min_": ("any", [-0.5]),
    "atan2_": ("positive", [(2, 3)]),
    "hypot_": ("positive", [(2, 3)]),
    "cumsum_": ("any", [1]),
    "cumprod_": ("any", [1]),
    "addcdiv_": ("any", [(3,), (2, 3)]),
    "addcmul_": ("any", [(2, 1), (3,)]),
    "fmod_": ("positive", [0.4]),
    "lerp_": ("any", [(3,), 0.3]),
    "copysign_": ("positive", [-1.0]),
    "heaviside_": ("any", [(3,)]),
    "nan_to_num_": ("any", [0.0]),
    "mvlgamma_": ("above one", [2]),
    "xlogy_": ("any", [(3,)]),
    "addmm_": ("any", [(2, 4), (4, 3)]),
    "addr_": ("any", [(2,), (3,)]),
    "addbmm_": ("any", [(4, 2, 5), (4, 5, 3)]),
    "renorm_": ("any", [2, 0, 0.5]),
    "logit_": ("positive", [0.1]),
    "tril_": ("any", [1]),
    "triu_": ("any", [-1]),
    "masked_fill_": ("any", [MASK, 5.0]),
    "masked_scatter_": ("any", [MASK, (4,)]),
    "scatter_": ("any", [1, np.array([[0, 2], [1, 0]]), (2, 2)]),
    "scatter_add_": ("any", [1, np.array([[0, 2, 2], [1, 1, 0]]), (2, 3)]),
    "scatter_reduce_": ("any", [1, np.array([[0, 2, 2], [1, 1, 0]]), (2, 3), "mean"]),
    "index_add_": ("any", [1, INDEX, (2, 2)]),
    "index_copy_": ("any", [1, INDEX, (2, 2)]),
    "index_fill_": ("any", [1, INDEX, 5.0]),
    "index_put_": ("any", [(np.array([0, 1]), INDEX), (2,), True]),
    "copy_": ("any", [(3,)]),
    "fill_": ("any", [5.0]),
    "zero_": ("any", []),
    "fill_diagonal_": ("any", [5.0]),
    **{f"{name}_": ("any", [(2, 3)]) for name in ("ne", "lt", "le", "gt", "ge", "eq")},
    **{f"{name}_": ("any", [(3,)]) for name in ("logical_and", "logical_or", "logical_xor")},
    **{f"{name}_": ("inside", []) for name in ("asin", "acos", "atan", "atanh", "tan", "erf", "log1p", "expm1")},
    **{f"{name}_": ("positive", []) for name in ("lgamma", "frac")},
    **{f"{name}_": ("inside", []) for name in ("erfc", "erfinv", "sinc")},
    **{f"{name}_": ("positive", []) for name in ("log", "log2", "log10", "sqrt", "rsqrt", "reciprocal")},
    "acosh_": ("above one", []),
}
UNARY = (
    *("neg", "abs", "sign", "square", "floor", "ceil", "round", "trunc", "fix", "exp", "exp2", "sin", "cos", "sinh"),
    *("cosh", "tanh", "asinh", "sigmoid", "relu", "logical_not", "absolute", "negative", "deg2rad", "rad2deg"),
)
CALLS |= {f"{name}_": ("any", []) for name in UNARY}
ELSEWHERE = {"addmv_", "baddbmm_", "digamma_", "float_power_", "polygamma_"}  # tests/test_pytorch_samples.py
ELSEWHERE |= {"bitwise_and_", "bitwise_or_", "bitwise_xor_", "bitwise_not_", "detach_", "share_memory_"}
RANDOM = {
    *("uniform_", "normal_", "bernoulli_", "exponential_", "log_normal_", "cauchy_", "geometric_", "random_"),
}
# PyTorch has no gradient of the first, and one that isn't 0 of the others.
WITHOUT_GRADIENT = {"floor_divide_", "acosh_", "asinh_", "atanh_"}
WITHOUT_GRADIENT |= {"heaviside_"}
WITHOUT_GRADIENT |= {"logical_and_", "logical_or_", "logical_xor_", "logical_not_"}
DOMAINS = {"any": (-2, 2), "positive": (0.3, 2), "inside": (-0.9, 0.9), "above one": (1.2, 3)}


def arguments(name, dtype):
    """x and the other arguments, as arrays."""
    domain, others = CALLS[name]
    x = RNG.uniform(*DOMAINS[domain], (2, 3)).astype(dtype)
    is_shape = [isinstance(a, tuple) and all(isinstance(n, int) for n in a) for a in others]
    return x, [RNG.uniform(0.3, 2, a).astype(dtype) if s else a for a, s in zip(others, is_shape, strict=True)]


def as_library(value, tensor, requires_grad=False):
    if isinstance(value, tuple):
        return tuple(as_library(v, tensor) for v in value)
    if not isinstance(value, np.ndarray):
        return value
    return tensor(value, requires_grad=requires_grad and value.dtype.kind == "f")


def changed(name, x, others, tensor):
    """x changed in place in the middle of a graph, seen through a view; x and the other leaves."""
    differentiable = name not in WITHOUT_GRADIENT
    leaf = tensor(x, requires_grad=differentiable)
    others = [as_library(v, tensor, differentiable) for v in others]
    h = leaf * 1.0
    row = h[0]
    returned = getattr(h, name)(*others)
    assert returned is h
    return h, row, [leaf, *[v for v in others if getattr(v, "requires_grad", False)]]


def test_every_method_is_tried():
    methods = {name for name in vars(InPlaceMethods) if name.endswith("_") and not name.startswith("_")}
    same = {id(vars(InPlaceMethods)[name]) for name in (*CALLS, *ELSEWHERE, *RANDOM)}
    assert {name for name in methods if id(vars(InPlaceMethods)[name]) not in same} == set()


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CALLS)
def test_values_views_and_gradients_are_pytorchs(name, dtype):
    torch = pytest.importorskip("torch")
    x, others = arguments(name, dtype)
    ours, row, leaves = changed(name, x, others, tg.tensor)
    theirs, their_row, their_leaves = changed(name, x, others, torch.tensor)
    tolerance = 1e-12 if dtype == "float64" else 2e-6
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(row.detach().numpy(), their_row.detach().numpy(), rtol=tolerance, atol=tolerance)
    upstream = RNG.standard_normal(3).astype(dtype)
    if row.requires_grad:
        found = tg.grad(row, leaves, upstream, allow_unused=True)
        wanted = torch.autograd.grad(their_row, their_leaves, torch.tensor(upstream), allow_unused=True)
        for g, w in zip(found, wanted, strict=True):
            g, w = [0.0 if v is None else v.detach().numpy() for v in (g, w)]
            np.testing.assert_allclose(g, w, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("name", sorted({*CALLS} - {"fill_", "zero_", "copy_", "fill_diagonal_"}))
def test_refused_calls_change_nothing(name):
    """A leaf while recording, and a result that doesn't fit."""
    x, others = arguments(name, "float32")
    others = [as_library(v, tg.tensor) for v in others]
    leaf = tg.tensor(x, requires_grad=True)
    with pytest.raises(tg.GraphError, match=r"(?s)a leaf that requires a gradient.*no_grad"):
        getattr(leaf, name)(*others)
    np.testing.assert_array_equal(leaf.numpy(), x)
    with tg.no_grad():
        assert getattr(leaf, name)(*others) is leaf


def test_a_result_that_does_not_fit_is_refused():
    for call in (
        lambda x: x.add_(tg.zeros(2, 3)),
        lambda x: x.exp_(),
        lambda x: x.div_(2),
        lambda x: x.copy_(tg.zeros(4)),
    ):
        x = tg.tensor([1, 2, 3])
        with pytest.raises(tg.ShapeError):
            call(x)
        assert x.tolist() == [1, 2, 3]
    with pytest.raises(tg.ShapeError, match=r"fill_: value must be one number"):
        tg.zeros(3).fill_([1.0, 2.0, 3.0])
    assert tg.tensor([1, 2, 6]).bitwise_and_(3).tolist() == [1, 2, 2]


def test_detach_in_place():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2.0
    part = h[1:]
    h.detach_()
    assert (h.requires_grad, h.is_leaf, h.grad_fn) == (False, True, None)
    part.backward(tg.ones(1))  # the view keeps its history
    assert w.grad.tolist() == [0.0, 2.0]
    assert not w.detach_().requires_grad
    with pytest.raises(tg.GraphError, match=r"detach_: a view"):
        (tg.ones(2, requires_grad=True) * 2)[1:].detach_()


def test_fill_diagonal_wraps_as_numpy_does():
    x, expected = tg.zeros(7, 3), np.zeros((7, 3))
    np.fill_diagonal(expected, 5.0, wrap=True)
    np.testing.assert_array_equal(x.fill_diagonal_(5.0, wrap=True).numpy(), expected)


# ------------------------------------------------------------------------------------------------------- random numbers

MOMENTS = {
    "uniform_": ((-1.0, 3.0), 1.0, 4 / 12**0.5),
    "normal_": ((2.0, 3.0), 2.0, 3.0),
    "bernoulli_": ((0.3,), 0.3, 0.21**0.5),
    "exponential_": ((2.0,), 0.5, 0.5),
    "log_normal_": ((0.0, 0.5), np.exp(0.125), (np.exp(0.5) - np.exp(0.25)) ** 0.5),
    "geometric_": ((0.25,), 4.0, 12**0.5),
    "random_": ((2, 6), 3.5, 1.25**0.5),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    settings, mean, deviation = MOMENTS[name]
    x = tg.zeros(100, 400)
    assert getattr(x, name)(*settings, generator=tg.Generator().manual_seed(1)) is x
    values = x.numpy().astype(float)
    assert abs(values.mean() - mean) < 6 * deviation / values.size**0.5
    assert abs(values.std() / deviation - 1) < 0.05
    again = tg.zeros(100, 400)
    getattr(again, name)(*settings, generator=np.random.default_rng(1))
    np.testing.assert_array_equal(x.numpy(), again.numpy())


def test_cauchy_has_its_quartiles():
    x = tg.zeros(40000).cauchy_(1.0, 2.0, generator=tg.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(np.quantile(x, [0.25, 0.5, 0.75]), [-1.0, 1.0, 3.0], atol=0.15)


def test_random_calls():
    assert set(tg.zeros(1000).random_(3).tolist()) == {0.0, 1.0, 2.0}
    assert tg.zeros(1000, dtype="int64").random_().numpy().min() >= 0
    assert tg.zeros(10, dtype="int64").bernoulli_(tg.tensor(1.0)).tolist() == [1] * 10
    for call, words in (
        (lambda x: x.uniform_(1.0, 0.0), "from must be ≤ to, got 1.0 and 0.0"),
        (lambda x: x.normal_(0.0, -1.0), "std must be ≥ 0"),
        (lambda x: x.bernoulli_(1.5), r"p must be in \[0, 1\], got 1.5"),
        (lambda x: x.bernoulli_(tg.tensor([2.0])), r"p must be in \[0, 1\]"),
        (lambda x: x.exponential_(0.0), "lambd must be > 0"),
        (lambda x: x.geometric_(1.0), r"p must be in \(0, 1\)"),
        (lambda x: x.random_(3, 3), "from must be < to"),
    ):
        x = tg.zeros(3)
        with pytest.raises(tg.ArgumentError, match=words):
            call(x)
        assert x.tolist() == [0.0] * 3
    with pytest.raises(tg.DTypeError, match="uniform_: the tensor must be of floats, got int64"):
        tg.zeros(2, dtype="int64").uniform_()


# ------------------------------------------------------------------------------------------------------------- compiled


def test_compiled_functions_follow():
    def step(x, y):
        h = x * 2.0
        h.add_(y).masked_fill_(h > 0.9, 0.0)
        h.index_add_(0, tg.tensor([0, 0]), y[:2])
        return h.mul_(tg.empty_like(h).uniform_(0.5, 1.5))

    compiled = tg.compile(step)
    for k in range(4):
        x, y = [RNG.standard_normal((4, 3)).astype(np.float32) for _ in range(2)]
        results = []
        for function in (step, compiled):
            tg.manual_seed(k)
            leaves = tg.tensor(x, requires_grad=True), tg.tensor(y, requires_grad=True)
            z = function(*leaves)
            z.backward(np.ones(z.shape, np.float32))
            results.append([z.numpy(), *[leaf.grad.numpy() for leaf in leaves]])
        for one, other in zip(*results, strict=True):
            np.testing.assert_array_equal(one, other)
    assert compiled.replays > 0, compiled.problems
