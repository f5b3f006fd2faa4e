"""Values and derivatives at ±0, ±∞, NaN, of constant inputs, of nothing: over the whole table, and one by one."""

import math
import sys

import batches
import numpy as np
import pytest
from cases import CASES, ROWS
from cases.table import BINARY, UNARY, Case

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.metrics import accuracy
from tensorgrad.ops.losses.distances import huber

pytestmark = pytest.mark.filterwarnings("error")

POINTS = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0])
UPSTREAM = 3.0
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])

ELEMENTWISE = [
    row
    for row in ROWS
    if (row.samples[0] is UNARY[0] or row.samples[0] is BINARY[0]) and not row.name.startswith("bitwise_")
]
SLOPED = [row for row in ELEMENTWISE if row.differentiable]
EACH = pytest.mark.cases("row", ELEMENTWISE, ids=lambda row: row.name)
EACH_SLOPED = pytest.mark.cases("row", SLOPED, ids=lambda row: row.name)


def points_of(row, dtype):
    """All special points, or all pairs of them."""
    if row.samples[0] is UNARY[0]:
        return [POINTS.astype(dtype)]
    return [np.repeat(POINTS, len(POINTS)).astype(dtype), np.tile(POINTS, len(POINTS)).astype(dtype)]


def differing(z, expected, signs=True):
    """Where two arrays aren't alike: NaN is like NaN, and 0 like −0 only without `signs`."""
    z, expected = z.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        near = (z == expected) | (np.abs(z - expected) <= 1e-6 * np.maximum(1, np.abs(expected)))
    near &= ~np.isinf(expected) | (z == expected)
    return ~((near & (~np.array(signs) | (np.signbit(z) == np.signbit(expected)))) | (np.isnan(z) & np.isnan(expected)))


# Where PyTorch says otherwise, per row: about the value, and about the derivatives; and where that is.
AT_NAN = lambda *xs: np.any([np.isnan(x) for x in xs], axis=0)  # noqa: E731
AT_ZERO = lambda *xs: np.any([x == 0 for x in xs], axis=0)  # noqa: E731
AT_INFINITY = lambda x: np.isinf(x)  # noqa: E731
AT_INTEGERS = lambda x: np.isfinite(x) & (x != 0) & (x == np.floor(x))  # noqa: E731
OTHER_VALUES = {
    "relu": AT_ZERO,  # max(−0, 0) is 0
    "sign": AT_NAN,  # of NaN NaN, as in NumPy
    "remainder": lambda x, y: np.isfinite(x) & (y != 0),  # a zero has the sign of y, as in Python
    # PyTorch: NaN at ∞ in float32; of −0 the sign depends on the processor, and −0 · Φ(−0) is −0.
    "gelu": lambda x: (x == np.inf) | AT_ZERO(x),
    **dict.fromkeys(["fmax", "fmin"], lambda x, y: (x == 0) & (y == 0)),  # of 0 and −0 either is the result
    "heaviside": lambda x, y: np.isnan(x),  # of NaN NaN, as in NumPy; PyTorch: 0
    "logaddexp2": lambda x, y: (x == -1) & (y == -1),  # 0 exactly; PyTorch: −5e-17
    "logsigmoid": lambda x: x == np.inf,  # ln of a number below 1 is −0
    "softshrink": lambda x: np.abs(x) <= 0.5,  # 0 with the sign of x; PyTorch: it depends on the processor
    "sinc": AT_INTEGERS,  # 0 up to the rounding of π, of either sign
}
OTHER_SLOPES = {
    # PyTorch: 0, slope, slope, 1, both
    **dict.fromkeys(["abs", "leaky_relu", "rrelu", "elu", "maximum", "minimum"], AT_NAN),
    # PyTorch: λ, 1, 1
    **dict.fromkeys(["selu", "celu", "hardswish"], AT_NAN),
    # PyTorch: 0 or the slope, which depends on the processor
    **dict.fromkeys(["hardtanh", "relu6", "hardsigmoid", "hardshrink", "softshrink"], AT_NAN),
    "softsign": AT_INFINITY,  # flat; PyTorch: NaN
    "logit": AT_ZERO,  # ∞; PyTorch: at −0 its sign depends on the processor
    "digamma": lambda x: AT_INTEGERS(x) & (x < 0),  # a pole, ∞; PyTorch: 1e33 and the like
}


@pytest.mark.oracle
@DTYPES
@EACH
def test_special_points_are_those_of_pytorch(row, dtype):
    torch = pytest.importorskip("torch")
    if row.torch is None:
        pytest.skip("PyTorch has no such function")
    case, arrays = Case(row, 0), points_of(row, dtype)
    elsewhere = {what: ~np.asarray(at.get(row.name, lambda *xs: np.zeros(len(xs[0]), bool))(*arrays))
                 for what, at in (("value", OTHER_VALUES), ("slope", OTHER_SLOPES))}  # fmt: skip
    ours = [tg.Tensor(x, requires_grad=row.differentiable) for x in arrays]
    theirs = [torch.tensor(x, requires_grad=row.differentiable) for x in arrays]
    z, t = case.call(*ours), case.torch_call(torch, *theirs)
    wrong = differing(z.data, t.numpy(force=True)) & elsewhere["value"]
    assert not wrong.any(), [(*[x[k] for x in arrays], z.data[k], t[k].item()) for k in np.nonzero(wrong)[0]]
    if not row.differentiable or not t.requires_grad:
        return
    found = tg.grad(z, ours, np.full(z.shape, UPSTREAM, dtype))
    wanted = torch.autograd.grad(t, theirs, torch.full(t.shape, UPSTREAM, dtype=t.dtype))
    for g, e in zip(found, wanted, strict=True):
        wrong = differing(g.data, e.numpy(), signs=False) & elsewhere["slope"]
        assert not wrong.any(), [(*[x[k] for x in arrays], g.data[k], e[k].item()) for k in np.nonzero(wrong)[0]]


# Ops that return x itself where it is NaN
HANDED_ON = {"relu", "leaky_relu", "maximum", "minimum", "hardtanh", "relu6", "hardshrink", "rrelu"}
REPLACED = {"fmax", "fmin", "nan_to_num"}  # ops whose purpose is to put another number in place of NaN


@DTYPES
@EACH_SLOPED
def test_no_derivative_hides_a_nan(row, dtype):
    """NaN at NaN; but 1 where the op hands its input on, and what it is everywhere where it is a constant."""
    for k in range(len(points_of(row, dtype))):
        slopes = []
        for value in (np.nan, 1.5, 2.5):
            xs = [tg.Tensor(np.full(2, value if j == k else 0.5, dtype), requires_grad=True) for j in range(k + 1)]
            xs += [tg.Tensor(np.full(2, 0.5, dtype))] * (len(points_of(row, dtype)) - k - 1)
            (g,) = tg.grad(row.function(*xs), xs[k], np.full(2, UPSTREAM, dtype))
            slopes.append(g.data)
        at_nan, *others = slopes
        if row.name in HANDED_ON:
            np.testing.assert_array_equal(at_nan, UPSTREAM)
        elif row.name in REPLACED:
            np.testing.assert_array_equal(at_nan, 0)
        elif not np.isnan(at_nan).all():
            np.testing.assert_array_equal(at_nan, others[0])
            np.testing.assert_array_equal(at_nan, others[1])


def test_a_nan_passes_bounds_and_a_nan_wins():
    x = tg.tensor([np.nan, 0.5, 2.0], requires_grad=True)
    (g,) = tg.grad(tg.clip(x, -1, 1), x, np.full(3, UPSTREAM))
    np.testing.assert_array_equal(g.data, [3, 3, 0])
    x, y = [tg.tensor(a, requires_grad=True) for a in ([np.nan, 1.0, np.nan], [1.0, np.nan, np.nan])]
    for function in (tg.maximum, tg.minimum):
        gx, gy = tg.grad(function(x, y), [x, y], np.full(3, 4.0))
        np.testing.assert_array_equal(gx.data, [4, 0, 2])
        np.testing.assert_array_equal(gy.data, [0, 4, 2])


@DTYPES
@EACH_SLOPED
def test_both_ways_to_a_gradient_agree_and_are_linear_in_the_upstream_one(row, dtype):
    """With and without `create_graph`; and its derivative for the upstream gradient is its share of that."""
    arrays = points_of(row, dtype)
    xs = [tg.Tensor(x, requires_grad=True) for x in arrays]
    z = row.function(*xs)
    u = tg.Tensor(np.full(z.shape, UPSTREAM, dtype), requires_grad=True)
    plain = tg.grad(z, xs, u, retain_graph=True)
    for g, recorded in zip(plain, tg.grad(z, xs, u, create_graph=True), strict=True):
        assert not differing(recorded.data, g.data, signs=False).any()
        (share,) = (
            tg.grad(recorded, u, np.ones(z.shape, dtype), allow_unused=True) if recorded.requires_grad else [None]
        )
        if share is not None:
            assert not differing(share.data * UPSTREAM, g.data, signs=False).any()


# ----------------------------------------------------------------------------------------------------------- one by one


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [5.0], [1e4] * 5, [0.1] * 1000])
@DTYPES
def test_the_standard_deviation_of_equal_values(values, dtype):
    x = tg.tensor(values, dtype=dtype, requires_grad=True)
    z = x.std(correction=0)
    assert z.item() == 0
    (g,) = tg.grad(z, x, create_graph=True)
    np.testing.assert_array_equal(g.data, 0)
    np.testing.assert_array_equal(tg.grad(g, x, np.ones(len(values)))[0].data, 0)
    two = tg.tensor([values, [*values[:-1], 7.0]], dtype=dtype, requires_grad=True)
    (g,) = tg.grad(two.std(1, correction=0), two, np.ones(2))
    assert np.isfinite(g.data).all()
    np.testing.assert_array_equal(g.data[0], 0)


def test_the_variance_of_neighbouring_numbers():
    """Their mean can't be written in float32; a mean rounded to one of them would double the variance."""
    x = np.array([1e4, np.nextafter(np.float32(1e4), np.float32(2e4))] * 50, np.float32)
    exact = x.astype(np.float64).var(ddof=1)
    for found in (tg.var(x).item(), tg.std(x).item() ** 2):
        assert found == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("power", [0, 0.0, tg.tensor(0.0)])
def test_the_power_0_is_flat(power):
    x = tg.tensor([0.0, 2.0, -1.0, np.nan], requires_grad=True)
    (g,) = tg.grad(x**power, x, np.full(4, 3.0), create_graph=True)
    np.testing.assert_array_equal(g.data, 0)
    np.testing.assert_array_equal(tg.grad(g, x, np.full(4, 3.0))[0].data, 0)


def test_powers_of_0():
    y = tg.tensor([0.0, 1.0, 2.5], requires_grad=True)
    u = tg.tensor([3.0, 4.0, 5.0], requires_grad=True)
    (g,) = tg.grad(0.0**y, y, u, create_graph=True)
    np.testing.assert_array_equal(g.data, 0)
    for d in tg.grad(g, [u, y], np.full(3, 2.0)):
        np.testing.assert_array_equal(d.data, 0)


def test_mixed_derivative_of_a_power():
    """∂²(xʸ)/∂x∂y = xʸ⁻¹(1 + y ln x), at y = 0 too."""
    x, y = tg.tensor([2.0, 0.5, 3.0], requires_grad=True), tg.tensor([0.0, 0.0, 2.0], requires_grad=True)
    (g,) = tg.grad(x**y, x, np.ones(3), create_graph=True)
    (found,) = tg.grad(g, y, np.ones(3))
    expected = x.data ** (y.data - 1.0) * (1 + y.data * np.log(x.data))
    np.testing.assert_allclose(found.data, expected, rtol=1e-6)


@pytest.mark.parametrize("function", [tg.softmax, tg.log_softmax])
def test_a_number_is_a_row_of_one(function):
    x = tg.tensor(2.0, requires_grad=True)
    for axis in (-1, 0):
        z = function(x, axis)
        assert (z.shape, z.item()) == ((), 1.0 if function is tg.softmax else 0.0)
        (g,) = tg.grad(z, x, create_graph=True)
        assert (g.shape, g.item()) == ((), 0)
    with pytest.raises(tg.RangeError, match="dim: 1"):
        function(x, 1)


@pytest.mark.parametrize(
    "function, kink", [(tg.elu, 0.0), (tg.celu, 0.0), (tg.selu, 0.0), (lambda x: huber(x, 2.0), 2.0)]
)
def test_second_derivatives_at_kinks_are_0(function, kink):
    x = tg.tensor([kink, -kink], dtype="float64", requires_grad=True)
    (g,) = tg.grad(function(x), x, np.ones(2), create_graph=True)
    assert g.data.all()
    np.testing.assert_array_equal(tg.grad(g, x, np.ones(2))[0].data, 0)


@DTYPES
def test_the_sign_of_zero_survives(dtype):
    x = np.array([-0.0, 0.0], dtype)
    smooth = [tg.tanh, tg.elu, tg.leaky_relu, tg.silu, tg.gelu, tg.erf, tg.sin, tg.expm1, tg.arcsinh]
    for function in [*smooth, tg.selu, tg.celu, nn.functional.softshrink]:
        np.testing.assert_array_equal(np.signbit(function(x).data), [True, False], err_msg=function.__name__)


# ---------------------------------------------------------------------------------------------------- losses and layers


def test_an_impossible_class_that_is_not_expected_costs_nothing():
    x = tg.tensor([[0.0, -np.inf, 1.0], [2.0, 1.0, -np.inf]], requires_grad=True)
    t = tg.tensor([[0.25, 0.0, 0.75], [1.0, 0.0, 0.0]], requires_grad=True)
    for weight in (None, tg.tensor([1.0, 0.0, 2.0])):
        z = nn.cross_entropy(x, t, weight, reduction="sum")
        finite = np.where(np.isinf(x.data), -1e4, x.data)
        expected = nn.cross_entropy(tg.tensor(finite), t.data, weight, reduction="sum")
        assert z.item() == pytest.approx(expected.item(), rel=1e-6)
        for g in tg.grad(z, [x, t]):
            assert np.isfinite(g.data).all()
    one = nn.cross_entropy(x, tg.tensor([[0.0, 1.0, 0.0]] * 2))
    assert one.item() == np.inf
    # A target of 0 has a slope where the loss is finite: that is what a teacher learns from.
    (g,) = tg.grad(nn.cross_entropy(tg.tensor([[0.0, 1.0]]), s := tg.tensor([[1.0, 0.0]], requires_grad=True)), s)
    np.testing.assert_allclose(g.data, -tg.log_softmax(tg.tensor([[0.0, 1.0]]), 1).data, rtol=1e-6)


def test_sure_and_right_costs_nothing():
    x = tg.tensor([np.inf, -np.inf], requires_grad=True)
    z = nn.binary_cross_entropy_with_logits(x, tg.tensor([1.0, 0.0]), reduction="none")
    np.testing.assert_array_equal(z.data, 0)
    np.testing.assert_array_equal(tg.grad(z, x, np.full(2, 3.0))[0].data, 0)
    z = nn.binary_cross_entropy_with_logits(x, tg.tensor([0.0, 1.0]), reduction="none")
    np.testing.assert_array_equal(z.data, np.inf)


def test_what_is_dropped_is_zero():
    x = tg.tensor([np.inf, -np.inf, np.nan, 1.0] * 50, requires_grad=True)
    z = tg.dropout(x, 0.5, generator=np.random.default_rng(0))
    kept = tg.dropout(tg.ones(200), 0.5, generator=np.random.default_rng(0)).data > 0
    np.testing.assert_array_equal(z.data, np.where(kept, 2 * x.data, 0))
    (g,) = tg.grad(z, x, np.full(200, np.inf, np.float32))
    np.testing.assert_array_equal(g.data, np.where(kept, np.inf, 0))
    np.testing.assert_array_equal(tg.dropout(x, 1.0).data, 0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("value", [1e4, -0.1, 12345.678, 1e-20])
def test_batch_norm_of_a_constant_channel(value, dtype):
    x = tg.Tensor(np.full((64, 2, 5), value, dtype), requires_grad=True)
    layer = nn.BatchNorm1d(2)
    z = layer(x)
    # In float64 the sum of equal numbers is rounded, as its elements are.
    np.testing.assert_allclose(z.data, 0, rtol=0, atol=0 if dtype == "float32" else 1e-15 * np.abs(value) / 1e-5)
    (g,) = tg.grad(z, x, np.random.default_rng(0).standard_normal(x.shape).astype(dtype))
    assert np.isfinite(g.data).all()
    layer.eval()
    layer.running_mean[...], layer.running_var[...] = x.data[0, 0, 0], 0.0
    if dtype == "float32":
        np.testing.assert_array_equal(layer(x).data, 0)


def test_batch_norm_of_neighbouring_numbers():
    x = np.array([[1e4], [np.nextafter(np.float32(1e4), np.float32(2e4))]] * 50, np.float32)
    wide = x.astype(np.float64)
    t, g = tg.Tensor(x, requires_grad=True), np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    z = tg.batch_norm(t, training=True)
    deviation = np.sqrt(wide.var(0) + 1e-5)
    hat = (wide - wide.mean(0)) / deviation
    np.testing.assert_allclose(z.data, hat, rtol=1e-5)
    expected = (g - g.mean(0, np.float64) - hat * (g * hat).mean(0)) / deviation
    np.testing.assert_allclose(tg.grad(z, t, g)[0].data, expected, rtol=1e-4, atol=1e-3)


def test_an_empty_batch_is_counted_and_changes_nothing_else():
    layer = nn.BatchNorm1d(2)
    layer(tg.zeros(0, 2))
    assert layer.num_batches_tracked.item() == 1
    np.testing.assert_array_equal(layer.running_mean.data, 0)
    np.testing.assert_array_equal(layer.running_var.data, 1)
    layer.eval()
    layer(tg.zeros(0, 2))
    assert layer.num_batches_tracked.item() == 1


def test_a_row_with_nan_is_wrong():
    scores = tg.tensor([[np.nan, np.nan], [0.0, 1.0], [np.nan, 1.0], [np.inf, 0.0]])
    assert accuracy(scores, tg.tensor([0, 1, 0, 0])) == 0.5
    assert accuracy(scores[:1], tg.tensor([0])) == 0


def test_an_infinite_bound_measures():
    p = tg.zeros(2, requires_grad=True)
    for values, norm in (([3.0, 4.0], 5.0), ([np.inf, 1.0], np.inf), ([1e30, 0.0], 1e30)):
        p.grad = tg.tensor(values)
        assert nn.optim.clip_grad_norm_([p], math.inf).item() == pytest.approx(norm)
        np.testing.assert_array_equal(p.grad.data, np.float32(values))
    p.grad = tg.tensor([np.nan, 1.0])
    assert np.isnan(nn.optim.clip_grad_norm_([p], math.inf).item())
    q = tg.zeros(2, dtype="float64", requires_grad=True)
    q.grad = tg.tensor(np.array([3e200, 4e200]))
    assert nn.optim.clip_grad_norm_([q], 1.0).item() == pytest.approx(5e200)
    np.testing.assert_allclose(q.grad.data, [0.6, 0.8])
    with pytest.raises(tg.ArgumentError, match="max_norm"):
        nn.optim.clip_grad_norm_([q], -math.inf)


def test_a_warm_up_of_no_steps_is_the_schedule():
    schedules = nn.optim.schedules
    assert [schedules.warm_up(schedules.exponential(1.0, 0.5), 0)(t) for t in range(3)] == [1.0, 0.5, 0.25]


# -------------------------------------------------------------------------------------------------------------- float16

REFUSED = [row for row in ROWS if not row.float16]


@pytest.mark.cases("row", REFUSED, ids=lambda row: row.name)
def test_what_does_not_take_float16_says_so(row):
    case = Case(row, 0)
    arrays = case.inputs(np.float16)
    if not any(x.dtype == np.float16 for x in arrays):
        pytest.skip("takes no floats")
    with pytest.raises(tg.DTypeError, match=r"(?s)float16.*float32"):
        case.call(*[tg.Tensor(x) for x in arrays])


HALVES = [case for case in CASES if case.row.float16 and any(x.dtype.kind == "f" for x in case.inputs())]


@pytest.mark.cases("case", HALVES, ids=repr)
def test_float16_is_float32_rounded(case):
    """Values and gradients: no op loses more than its steps' roundings."""

    def results(dtype):
        arrays = case.inputs(np.float16)
        xs = [tg.Tensor(x.astype(dtype) if x.dtype == np.float16 else x, requires_grad=case.row.differentiable and
                        x.dtype.kind == "f") for x in arrays]  # fmt: skip
        z = case.call(*xs)
        wanted = [x for x in xs if x.requires_grad]
        if not wanted or not z.requires_grad:
            return [z]
        upstream = case.upstream(z.shape, np.float16).astype(dtype)
        return [z, *tg.grad(z, wanted, upstream)]

    for half, single in zip(results(np.float16), results(np.float32), strict=True):
        if single.dtype != np.float32 or not single.size:
            continue
        assert half.dtype == np.float16
        expected = single.data.astype(np.float64)
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=1)
        wrong = np.abs(half.data[np.isfinite(expected)] - expected[np.isfinite(expected)]) > 6e-3 * scale
        assert not wrong.any()


MANY = 90_000


@pytest.mark.parametrize("shape, axis", [((MANY,), None), ((MANY, 2), 0), ((2, MANY), 1), ((300, 300, 2), (0, 1))])
def test_long_float16_reductions(shape, axis):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, shape).astype(np.float16)
    wide = x.astype(np.float64)
    t = tg.Tensor(x, requires_grad=True)
    for z, exact in (
        (t.mean(axis), wide.mean(axis)),
        (t.var(axis, correction=0), wide.var(axis)),
        (t.std(axis, correction=0), wide.std(axis)),
        (tg.Tensor(x - 1).sum(axis), (x - 1).astype(np.float64).sum(axis)),
        (tg.logsumexp(t, axis), np.log(np.exp(wide).sum(axis))),
        (tg.logsumexp(t * 0, axis), np.full(wide.mean(axis).shape, np.log(MANY))),
        (tg.Tensor(x * 0 + 1).prod(axis), np.ones(wide.mean(axis).shape)),
    ):
        assert z.dtype == np.float16
        np.testing.assert_allclose(z.data, exact, rtol=1e-3)
    for z, slope in ((t.mean(axis), 1 / MANY), (t.sum(axis), 1.0)):
        (g,) = tg.grad(z, t, np.ones(z.shape, np.float16))
        np.testing.assert_array_equal(g.data, np.float16(slope))
    (g,) = tg.grad(t.var(axis, correction=0), t, np.ones(t.var(axis).shape, np.float16))
    assert np.isfinite(g.data).all()


def test_long_float16_losses_products_and_norms():
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((MANY, 2)).astype(np.float16), rng.integers(2, size=MANY)
    wide, t = x.astype(np.float64), tg.Tensor(x, requires_grad=True)
    logs = wide - np.log(np.exp(wide).sum(1, keepdims=True))
    picked = -logs[np.arange(MANY), labels]
    for weight in (None, np.array([1.0, 3.0])):
        share = np.ones(MANY) if weight is None else weight[labels]
        z = nn.cross_entropy(t, labels, weight)
        assert z.item() == pytest.approx((picked * share).sum() / share.sum(), rel=2e-3)
        (g,) = tg.grad(z, t)
        assert np.isfinite(g.data).all()
        assert g.data.any()
    for z, exact in (
        (tg.Tensor(x).mT @ x / 1000, wide.T @ wide),
        (tg.einsum("nc,nc->c", x / 100, x), (wide * wide).sum(0)),
    ):
        assert np.isfinite(z.data).all() or exact.max() > 65504
    (g,) = tg.grad(tg.linear(t * 0 + 1, w := tg.ones(1, 2, dtype="float16", requires_grad=True)).mean(), w)
    np.testing.assert_allclose(g.data, 1, rtol=5e-3)  # 1/90,000 has few digits there
    parameters = [tg.zeros(1, dtype="float16", requires_grad=True) for _ in range(4)]
    for p in parameters:
        p.grad = tg.full((1,), 300, dtype="float16")
    assert nn.optim.clip_grad_norm_(parameters, 1.0).item() == 600
    assert [p.grad.item() for p in parameters] == [0.5] * 4


RULES = [
    lambda w, lr: nn.optim.SGD([w], lr),
    lambda w, lr: nn.optim.SGD([w], lr, momentum=0.9, nesterov=True),
    lambda w, lr: nn.optim.Adam([w], lr, amsgrad=True),
    lambda w, lr: nn.optim.AdamW([w], lr),
    lambda w, lr: nn.optim.RMSprop([w], lr, centered=True, momentum=0.9),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [3, 5000])
def test_float16_weights_train_as_float32_ones(rule, size):
    rng = np.random.default_rng(0)
    half = tg.Tensor(rng.uniform(0.5, 1, size).astype(np.float16), requires_grad=True)
    single = tg.Tensor(half.data.astype(np.float32), requires_grad=True)
    optimizers = rule(half, 1e-5), rule(single, 1e-5)
    for step in range(100):
        # Steps far below a unit in the last place, now and then without a gradient, and of very different sizes.
        g = (rng.standard_normal(size) * 10.0 ** rng.integers(-4, 2) * (step % 5 > 0)).astype(np.float16)
        half.grad, single.grad = tg.Tensor(g), tg.Tensor(g.astype(np.float32))
        for optimizer in optimizers:
            optimizer.step()
        if step == 50:
            saved = {**optimizers[0].state_dict()}
            optimizers = rule(half, 1e-5), optimizers[1]
            optimizers[0].load_state_dict(saved)
    exact = optimizers[0].state[half]["exact_weight"]
    np.testing.assert_allclose(exact, single.data, rtol=1e-5)  # 1 − lr · λ has few digits in float32
    np.testing.assert_array_equal(half.data, exact.astype(np.float16))
    assert (half.data != rng.uniform(0.5, 1, size)).any()


def test_float16_weights_that_somebody_sets_are_taken_as_they_are():
    w = tg.tensor([1.0, 2.0], dtype="float16", requires_grad=True)
    optimizer = nn.optim.SGD([w], lr=1e-4)
    w.grad = tg.ones(2, dtype="float16")
    optimizer.step()
    with tg.no_grad():
        w[0] = 8.0
    for _ in range(20):
        optimizer.step()
    np.testing.assert_array_equal(w.data, np.float16([8.0 - 20e-4, 2.0 - 21e-4]))


@pytest.mark.parametrize("p", [math.inf, -math.inf])
@pytest.mark.parametrize("norm", [tg.norm, tg.linalg.vector_norm])
def test_the_largest_and_the_smallest_are_nan_where_a_nan_is(norm, p):
    x = tg.tensor([[1.0, math.nan, 3.0], [-4.0, 2.0, 4.0]], requires_grad=True)
    z = norm(x, p, 1)
    upstream = np.random.default_rng(0).uniform(1, 2, 2).astype(np.float32)
    z.backward(tg.tensor(upstream))
    np.testing.assert_array_equal(z.data, [math.nan, 4 if p > 0 else 2])
    half = upstream[1] / 2
    np.testing.assert_array_equal(x.grad.data, [[0, math.nan, 0], [-half, 0, half] if p > 0 else [0, upstream[1], 0]])


@pytest.mark.parametrize(
    "x", [[2, math.inf], [math.nan], [-1, math.nan, 2], [1e200, 1e200], [1e-200, 1e-200, 3], [0, 3, 0, 4], [2, 3, 4]]
)
def test_a_cumulative_products_gradient_is_made_of_the_others(x):
    """Also where the products are 0, infinite or NaN, and can't be divided by the element."""
    upstream = np.random.default_rng(0).uniform(1, 2, len(x))
    v = tg.tensor(x, dtype=tg.float64, requires_grad=True)
    (g,) = tg.grad(tg.cumprod(v, 0), v, upstream)
    others = [[math.prod(x[:i] + x[i + 1 : k + 1]) for k in range(i, len(x))] for i in range(len(x))]
    expected = [sum(u * product for u, product in zip(upstream[i:], row, strict=True)) for i, row in enumerate(others)]
    np.testing.assert_allclose(g.data, expected, rtol=1e-14)


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 2_061


@pytest.mark.parametrize("n", [2, 5, 20, 50, 100, 150, 169])
def test_polygamma_of_high_orders(n):
    """ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ n! Σ 1/(x + k)ⁿ⁺¹; what remains of the sum is an integral, up to half a term."""
    for x in (12.0, 15.5, 20.0, 60.0, 300.0):
        terms = [math.exp(math.lgamma(n + 1) - (n + 1) * math.log(x + k)) for k in range(20_000)]
        rest = math.exp(math.lgamma(n + 1) - n * math.log(x + 20_000 - 0.5)) / n
        expected = (-1) ** (n + 1) * (math.fsum(terms) + rest)
        assert tg.polygamma(n, tg.tensor(x, dtype="float64")).item() == pytest.approx(expected, rel=1e-9), x


def test_polygamma_of_a_huge_order_is_infinite_at_once():
    """170! is the largest factorial that is a float64; a million million took for ever."""
    assert tg.polygamma(171, tg.tensor([0.5, 1.0, 2.0])).tolist() == [math.inf] * 3
    assert tg.polygamma(10**12, tg.tensor(0.5)).item() == -math.inf
