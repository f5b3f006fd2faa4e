"""Every op against its row in the table `cases`: values, gradients, dtypes, layouts."""

import itertools
import sys

import batches
import numpy as np
import pytest
from cases import CASES, ROWS
from cases.table import BINARY, Case
from recorded_cases import FLOATS_IN, GRADIENT_CASES, Recorder, leaves

import tensorgrad as tg
from tensorgrad.autograd import modes

pytestmark = pytest.mark.filterwarnings("error")

# Of the largest value in sight: sums are taken in any order, and float16 composites round at each step.
TOLERANCE = {np.dtype(np.float64): 1e-11, np.dtype(np.float32): 4e-6, np.dtype(np.float16): 1e-2}
RTOL = 1e-6  # of finite differences: well above what they err by, well below any factor that a rule could lack


def assert_close(actual: np.ndarray, expected: np.ndarray, dtype: np.dtype) -> None:
    assert actual.shape == np.shape(expected)
    finite = np.abs(expected[np.isfinite(expected)]) if np.size(expected) else np.zeros(0)
    tolerance = TOLERANCE[np.dtype(dtype)] * max(1.0, finite.max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def forward_and_gradients(
    case: Case, arrays: list[np.ndarray], only: int | None = None
) -> tuple[tg.Tensor, list[tg.Tensor]]:
    """The result, and the gradients of all float inputs, or of the one at `only`, under a random upstream gradient."""
    tensors = leaves(arrays, only)
    z = case.call(*tensors)
    return z, tg.grad(z, [x for x in tensors if x.requires_grad], case.upstream(z.shape, z.dtype))


# ------------------------------------------------------------------------------------------------------- values, dtypes


def in_dtypes(cases, *dtypes):
    """Each case in each dtype that its row takes."""
    pairs = [(c, t) for c in cases for t in dtypes if t is not np.float16 or c.row.float16]
    return pytest.mark.cases("case, dtype", pairs, ids=lambda v: getattr(v, "__name__", repr(v)))


@in_dtypes(CASES, np.float64, np.float32, np.float16)
def test_forward(case, dtype):
    arrays = case.inputs(dtype)
    z = case.call(*[tg.Tensor(x) for x in arrays])
    expected = np.dtype(case.row.result or dtype)
    assert type(z) is tg.Tensor
    assert z.dtype == expected
    if expected.kind == "f":
        assert_close(z.data, case.reference(*arrays), np.dtype(dtype) if arrays else expected)
    else:
        np.testing.assert_array_equal(z.data, case.reference(*arrays), strict=False)


@pytest.mark.cases("case", [c for c in CASES if c.row.integers], ids=repr)
def test_integer_inputs(case):
    arrays = [np.random.default_rng(k).integers(1, 4, x.shape) for k, x in enumerate(case.inputs())]
    if case.row.name in ("arcsin", "arccos"):
        arrays = [x % 2 for x in arrays]
    z = case.call(*[tg.Tensor(x) for x in arrays])
    if case.row.integers == "float":
        assert z.dtype == np.float32
        assert_close(z.data, case.reference(*[x.astype(float) for x in arrays]), np.float32)
    else:
        assert z.dtype == (case.row.result or np.int64)
        np.testing.assert_array_equal(z.data, case.reference(*arrays))


@pytest.mark.cases("case", CASES, ids=repr)
def test_arrays_serve_as_tensors(case):
    arrays = case.inputs()
    z = case.call(*arrays)
    assert type(z) is tg.Tensor
    np.testing.assert_array_equal(z.data, case.call(*[tg.Tensor(x) for x in arrays]).data)


@pytest.mark.parametrize("row", [r for r in ROWS if r.samples[0] is BINARY[0]], ids=lambda r: r.name)
def test_dtypes_of_two_operands(row):
    x32, x64, k = tg.ones(2), tg.ones(2, dtype="float64"), tg.ones(2, dtype="int64")

    def result(x, y):
        dtypes = {row.function(x, y).dtype, row.function(y, x).dtype}
        assert len(dtypes) == 1
        return dtypes.pop()

    if row.result == np.bool_:
        assert result(x32, x64) == result(x32, 1) == result(k, 1.0) == np.bool_
        return
    assert result(x32, x64) == np.float64
    assert result(x32, k) == np.float32
    assert result(x64, k) == np.float64
    for number in (2, 2.0, True, np.float64(2), np.int64(2)):
        assert result(x32, number) == np.float32, f"{type(number)} widened float32"
        assert result(x64, number) == np.float64
    assert result(k, 2.0) == np.float32
    assert result(k, 2) == (np.float32 if row.integers == "float" else np.int64)


def test_bitwise_operators_take_bools_and_integers():
    yes, no = tg.tensor([True, True]), tg.tensor([True, False])
    assert ((yes & no).data.tolist(), (False | no).data.tolist(), (~no).data.tolist()) == (
        [True, False],
        [True, False],
        [False, True],
    )
    assert ((yes ^ no).data.tolist(), (True ^ no).data.tolist()) == ([False, True], [False, True])
    k, array = tg.tensor([6, -5]), np.array([6, -5])
    for z, expected in (
        (k & 3, array & 3),
        (3 | k, 3 | array),
        (~k, ~array),
        (k ^ array, array ^ array),
        (9 ^ k, 9 ^ array),
    ):
        np.testing.assert_array_equal(z.data, expected, strict=True)
    for call in (
        lambda: tg.tensor([5.0]) & 3,
        lambda: 3.0 | tg.tensor([5]),
        lambda: ~tg.tensor([5.0]),
        lambda: k ^ 1.5,
    ):
        with pytest.raises(tg.DTypeError, match=r"(?s)operands must be bools or integers.*logical_and"):
            call()


def test_infinite_gradients_add_up_to_nan_without_a_warning():
    x = tg.ones(1, requires_grad=True)
    (x * np.inf - x * np.inf + x + x).backward(np.ones(1))
    assert np.isnan(x.grad.data).all()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16])
def test_small_integers_and_bools_are_added_and_multiplied_in_int64(dtype):
    x = tg.Tensor(np.full((2, 10), 1 if dtype is bool else 100).astype(dtype))
    total, factor = (10, 1) if dtype is bool else (1000, 100**9)
    for z, expected in ((x.sum(1), total), (x.cumsum(1)[:, -1], total), (x[:, :9].prod(1), factor)):
        assert z.dtype == np.int64
        np.testing.assert_array_equal(z.data, [expected] * 2)


@pytest.mark.cases("case", [c for c in FLOATS_IN if c.row.special], ids=repr)
def test_nan_and_infinities_propagate(case):
    """Forward as in the reference; forward and backward without a warning."""
    rng = np.random.default_rng(case.number)
    filled = [k for k, x in enumerate(case.inputs()) if x.dtype.kind == "f" and x.size]
    for k, value in itertools.product(filled, (np.nan, np.inf, -np.inf)):
        arrays = case.inputs()
        arrays[k].flat[rng.integers(arrays[k].size)] = value
        z = case.call(*[tg.Tensor(x) for x in arrays])
        if z.dtype.kind == "f":
            assert_close(z.data, case.reference(*arrays), z.dtype)
        else:
            np.testing.assert_array_equal(z.data, case.reference(*arrays))
        if case.row.differentiable:
            forward_and_gradients(case, arrays)


# ------------------------------------------------------------------------------------------------------------ gradients


@pytest.mark.cases("case", [c for c in GRADIENT_CASES if c.smooth], ids=repr)
def test_gradient(case):
    """All inputs together against central differences under a random upstream gradient; each alone has the same."""
    arrays = case.inputs()
    assert tg.gradcheck(case.call, arrays, rtol=RTOL, seed=case.number)
    floats = [k for k, x in enumerate(arrays) if x.dtype.kind == "f"]
    if len(arrays) > 1:
        _, together = forward_and_gradients(case, arrays)
        for k, expected in zip(floats, together, strict=True):
            _, (alone,) = forward_and_gradients(case, arrays, only=k)
            np.testing.assert_allclose(alone.data, expected.data, rtol=1e-12, atol=1e-12)


@pytest.mark.cases("case", [c for c in GRADIENT_CASES if c.smooth and c.row.twice], ids=repr)
def test_second_derivative(case):
    """The gradient as a function of the inputs and of the upstream gradient, held to central differences in turn."""
    arrays = case.inputs()
    upstream = case.upstream(case.call(*arrays).shape)
    for k, x in enumerate(arrays):
        if x.dtype.kind == "f":

            def gradient(*inputs, k=k):
                *xs, u = inputs
                return tg.grad(case.call(*xs), xs[k], u, create_graph=True)[0]

            assert_derivatives_along_directions(gradient, [*arrays, upstream], case.number)


def assert_derivatives_along_directions(f, arrays, seed):
    """The gradients of all inputs under a random upstream gradient, against central differences along directions.

    A direction moves every element by a random amount other than 0, so a gradient that is wrong anywhere shows in each;
    two of them cost four evaluations, where moving each element by itself costs hundreds.
    """
    rng, xs, step = np.random.default_rng(seed), leaves(arrays), 3e-7
    z = f(*xs)
    upstream = rng.standard_normal(z.shape)
    gradients = tg.grad(z, [x for x in xs if x.requires_grad], upstream, allow_unused=True)
    for _ in range(2):
        directions = [rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1, 1], x.shape) for x in arrays]

        def at(step, directions=directions):
            moved = (x + step * d if x.dtype.kind == "f" else x for x, d in zip(arrays, directions, strict=True))
            return f(*leaves(map(np.asarray, moved))).data

        expected = np.vdot(upstream, at(step) - at(-step)) / (2 * step)
        moving = [d for x, d in zip(xs, directions, strict=True) if x.requires_grad]
        terms = [g.data * d for g, d in zip(gradients, moving, strict=True) if g is not None]
        size = sum(np.abs(term).sum() for term in terms)
        # Five times what differences err by.
        assert abs(sum(term.sum() for term in terms) - expected) <= 1e-7 * (1 + size)


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "max_pool2d", "avg_pool2d", "getitem", "einsum"])
def test_third_derivative_of_ops_that_are_one_another_s_derivatives(name):
    """The trio of convolution closes: what a second derivative is made of must have right derivatives too."""
    for case in [c for c in CASES if c.row.name == name and c.smooth][1:6]:
        arrays = case.inputs()
        upstream = case.upstream(case.call(*arrays).shape)

        def second(*inputs, case=case):
            *xs, u, v = inputs
            (first,) = tg.grad(case.call(*xs), xs[-1], u, create_graph=True)
            return sum(
                (g * g).sum()
                for g in tg.grad(first, [*xs, u], v, create_graph=True, allow_unused=True)
                if g is not None
            )

        assert_derivatives_along_directions(second, [*arrays, upstream, case.upstream(arrays[-1].shape)], case.number)


@pytest.mark.cases("case", [c for c in GRADIENT_CASES if not c.row.twice and c.row.torch], ids=repr)
def test_flat_ops_have_zero_gradient(case):
    _, grads = forward_and_gradients(case, case.inputs())
    for g in grads:
        assert not g.data.any()


@in_dtypes(GRADIENT_CASES, np.float32, np.float16)
def test_gradients_keep_the_dtype(case, dtype):
    arrays = case.inputs(dtype)
    z, grads = forward_and_gradients(case, arrays)
    upstream = case.upstream(z.shape, z.dtype).astype(np.float64)
    wide = leaves([x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays])
    expected = tg.grad(case.call(*wide), [x for x in wide if x.requires_grad], upstream)
    for g, e in zip(grads, expected, strict=True):
        assert g.dtype == dtype
        assert_close(g.data, e.data, dtype)


KINKS = [
    (tg.abs, [[-2.0, 0.0, 2.0]], [[-1, 0, 1]]),
    (tg.relu, [[-1.0, 0.0, 2.0]], [[0, 0, 1]]),
    (tg.leaky_relu, [[-1.0, 0.0, 2.0]], [[0.01, 0.01, 1]]),
    (tg.elu, [[0.0, 1.0]], [[1, 1]]),
    (tg.maximum, [[1.0, 1.0, 2.0], [1.0, 2.0, 1.0]], [[0.5, 0, 1], [0.5, 1, 0]]),
    (tg.minimum, [[1.0, 1.0, 2.0], [1.0, 2.0, 1.0]], [[0.5, 1, 0], [0.5, 0, 1]]),
    (lambda x: tg.clip(x, -1.0, 1.0), [[-2.0, -1.0, 0.0, 1.0, 2.0]], [[0, 1, 1, 1, 0]]),
    (tg.max, [[1.0, 3.0, 3.0]], [[0, 0.5, 0.5]]),
    (tg.min, [[1.0, 1.0, 1.0, 2.0]], [[1 / 3, 1 / 3, 1 / 3, 0]]),
    (tg.prod, [[0.0, 2.0, 3.0]], [[6, 0, 0]]),
    (tg.prod, [[0.0, 2.0, 0.0]], [[0, 0, 0]]),
    (tg.logsumexp, [[-np.inf, -np.inf]], [[0, 0]]),
    (tg.logsumexp, [[-np.inf, 1.0]], [[0, 1]]),
    (tg.pow, [[0.0, 0.0, 0.0], [0.0, 1.0, 2.0]], [[0, 1, 0], [0, 0, 0]]),
    (lambda x: tg.max_pool1d(x.reshape(1, 1, 4), 2), [[5.0, 5.0, 1.0, 1.0]], [[1, 0, 1, 0]]),
]


@pytest.mark.parametrize(("function", "inputs", "expected"), KINKS)
def test_conventions_at_kinks_and_ties(function, inputs, expected):
    xs = [tg.tensor(x, dtype="float64", requires_grad=True) for x in inputs]
    z = function(*xs)
    for g, e in zip(tg.grad(z, xs, np.ones(z.shape)), expected, strict=True):
        np.testing.assert_allclose(g.data, e, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("function", "values", "slopes"),
    [
        (tg.sigmoid, [0, 1], [0, 0]),
        (tg.tanh, [-1, 1], [0, 0]),
        (tg.softplus, [0, 1e4], [0, 1]),
        (tg.silu, [0, 1e4], [0, 1]),
        (tg.gelu, [0, 1e4], [0, 1]),
        (lambda x: tg.gelu(x, approximate="tanh"), [0, 1e4], [0, 1]),
        (tg.elu, [-1, 1e4], [0, 1]),
        (tg.erf, [-1, 1], [0, 0]),
        (lambda x: tg.softmax(x, 0), [0, 1], [0, 0]),
        (lambda x: tg.log_softmax(x, 0), [-2e4, 0], [1, -1]),
        (tg.logsumexp, 1e4, [0, 1]),
    ],
)
def test_stable_for_large_inputs(function, values, slopes, dtype):
    """At ±10⁴, under the upstream gradient 1, for the first result alone where results mix; curvature without NaN."""
    x = tg.tensor([-1e4, 1e4], dtype=dtype, requires_grad=True)
    z = function(x)
    seed = np.array([1, 0]) if function in (tg.softmax, tg.log_softmax) else np.ones(z.shape)
    (g,) = tg.grad(z, x, seed, create_graph=True)
    (curvature,) = tg.grad(g, x, np.ones(2), allow_unused=True)
    assert np.isfinite(curvature.data).all()
    np.testing.assert_allclose(z.data, values, atol=1e-7)
    np.testing.assert_allclose(g.data, slopes, atol=1e-7)


# ---------------------------------------------------------------------------------------------------- memory and layout


def strided(x):
    """Every other element of an array that is larger along each axis."""
    wide = np.full([2 * n for n in x.shape], 7, x.dtype)
    view = wide[(..., *(slice(None, None, 2),) * x.ndim)]
    view[...] = x
    return view


def backwards(x):
    reverse = (..., *(slice(None, None, -1),) * x.ndim)
    return x[reverse].copy()[reverse]


def big_endian(x):
    return x.astype(x.dtype.newbyteorder(">"))


def fortran(x):
    return x.copy(order="F")


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.cases("case", [c for c in CASES if c.sample.inputs], ids=repr)
def test_layout_does_not_matter(case):
    def results(arrays):
        z = case.call(*[tg.Tensor(x) for x in arrays])
        return [z, *forward_and_gradients(case, arrays)[1]] if case.row.differentiable else [z]

    expected = results(case.inputs())
    for layout in (strided, backwards, fortran, big_endian, read_only):
        for z, e in zip(results([np.asarray(layout(x)) for x in case.inputs()]), expected, strict=True):
            assert (z.shape, z.dtype) == (e.shape, e.dtype), layout
            # Not to the last bit: NumPy sums in the order of memory.
            np.testing.assert_allclose(z.data, e.data, rtol=1e-13, atol=1e-13, err_msg=layout.__name__)


@pytest.mark.cases("case", CASES, ids=repr)
def test_nothing_given_is_modified(case):
    arrays = case.inputs()
    before = [x.tobytes() for x in arrays]
    tensors = leaves(arrays) if case.row.differentiable else [tg.Tensor(x) for x in arrays]
    z = case.call(*tensors)
    assert [x.tobytes() for x in arrays] == before, "forward wrote into its inputs"
    if not case.row.differentiable:
        return
    result, upstream = z.data.tobytes(), case.upstream(z.shape, z.dtype)
    given = upstream.tobytes()
    floats = [x for x in tensors if x.requires_grad]
    first = tg.grad(z, floats, upstream, create_graph=True)
    kept = [g.data.tobytes() for g in first]
    second = [g for g in first if g.requires_grad]
    if second:
        tg.grad(second, floats, [case.upstream(g.shape, g.dtype) for g in second], allow_unused=True)
    assert [x.tobytes() for x in arrays] == before, "backward wrote into the inputs"
    assert z.data.tobytes() == result, "backward wrote into the output"
    assert upstream.tobytes() == given, "backward wrote into the upstream gradient"
    assert [g.data.tobytes() for g in first] == kept, "the second backward wrote into the first one's gradients"


@pytest.mark.cases("case", [c for c in CASES if c.sample.inputs], ids=repr)
def test_only_views_share_memory(case):
    tensors = [tg.Tensor(x) for x in case.inputs()]
    with modes.observe(Recorder()) as seen:
        z = case.call(*tensors)
    shared = any(np.shares_memory(z.data, x.data) for x in tensors)
    assert not shared or not seen.ops or all(op.aliases for op in seen.ops)


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 24_366
