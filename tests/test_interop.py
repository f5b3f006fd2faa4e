"""Tensors among NumPy's arrays: conversions both ways, ufuncs and functions on tensors, DLPack, layouts and dtypes."""

import numpy as np
import pytest
from cases import ROWS

import tensorgrad as tg
from tensorgrad.interop.functions import FUNCTIONS
from tensorgrad.interop.ufuncs import UFUNCS

RNG = np.random.default_rng(6)
ROW = {row.name: row for row in ROWS}


def leaf(*shape):
    return tg.Tensor(RNG.standard_normal(shape), requires_grad=True)


# ---------------------------------------------------------------------------------------------------------- conversions


def test_as_tensor_and_from_numpy_share_memory_and_tensor_copies():
    a = np.zeros(3)
    shared, also, wrapped, copied = tg.as_tensor(a), tg.from_numpy(a), tg.Tensor(a), tg.tensor(a)
    a[0] = 1
    assert shared.tolist() == also.tolist() == wrapped.tolist() == [1, 0, 0]
    assert copied.tolist() == [0, 0, 0]
    assert tg.as_tensor(shared) is shared


def test_numpy_sees_the_memory_of_a_tensor():
    t = tg.arange(3.0)
    assert np.shares_memory(np.asarray(t), t.data)
    assert np.shares_memory(t.numpy(), t.data)
    assert not np.shares_memory(np.array(t), t.data)
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.array(t, dtype=np.float64, copy=False)


def test_the_memory_of_what_needs_a_gradient_is_read_only_to_numpy():
    for t in (leaf(3), leaf(3) * 2):
        with tg.no_grad():
            arrays = [t.numpy(), np.asarray(t)]
        for array in arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
            assert np.shares_memory(array, t.data)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, "float32"),
        ([1.0, 2.0], "float32"),
        (3, "int64"),
        ([True, False], "bool"),
        ([1, 2.5], "float32"),
        ([], "float32"),
        (np.zeros(2), "float64"),
        (np.float64(2), "float64"),
        ([np.float64(2)], "float64"),
        (np.zeros(2, np.float16), "float16"),
        (np.zeros(2, np.uint8), "uint8"),
        (np.zeros(2, ">f4"), "float32"),
        (np.zeros(2, ">i8"), "int64"),
        (range(3), "int64"),
    ],
)
def test_dtypes_of_what_is_taken_in(value, dtype):
    for make in (tg.tensor, tg.Tensor, tg.as_tensor):
        if make is tg.Tensor and type(value) is int:  # which is a size
            continue
        t = make(value)
        assert t.dtype == np.dtype(dtype)
        assert t.dtype.isnative
        np.testing.assert_array_equal(t.data, np.asarray(value))


@pytest.mark.parametrize("value", [1j, "text", b"x", None, object(), np.zeros(2, "M8[s]"), np.zeros(2, np.longdouble)])
def test_what_is_no_tensor(value):
    for make in (tg.tensor, tg.Tensor, tg.as_tensor):
        with pytest.raises(tg.DTypeError, match="not supported"):
            make(value)


def test_dtype_argument_converts():
    assert tg.tensor([1, 2], dtype="float64").dtype == np.float64
    assert tg.Tensor(np.zeros(2), dtype=np.float32).dtype == np.float32
    assert tg.tensor([1.7, -1.7], dtype="int64").tolist() == [1, -1]
    assert tg.zeros(2, dtype=">f4").dtype.isnative
    assert tg.zeros(2).astype(">f8").dtype.isnative


def test_scalars():
    t = tg.tensor(2.5)
    assert float(t) == 2.5 and int(t) == 2 and bool(t) and t.item() == 2.5 and f"{t:.2f}" == "2.50"
    assert [10, 20, 30][tg.tensor(1)] == 20
    with pytest.raises(tg.ArgumentError, match="any"):
        bool(tg.zeros(2))
    with pytest.raises(tg.ShapeError, match="item"):
        tg.zeros(2).item()
    with pytest.raises(TypeError):
        range(tg.tensor(1.5))


# ---------------------------------------------------------------------------------------------------- ufuncs, functions


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_a_ufunc_of_tensors_is_the_op(ufunc):
    """np.f(tensor) is recorded and gives what tg.f gives; so does np.f(ndarray, tensor)."""
    row = ROW[UFUNCS[ufunc].__name__]
    shapes = [(2, 3), (3, 2)] if ufunc is np.matmul else [(2, 3), (3,)]
    arrays = [
        np.asarray(row.domains[min(k, len(row.domains) - 1)](RNG, shape)) for k, shape in enumerate(shapes[: ufunc.nin])
    ]
    expected = row.function(*arrays)
    for k in range(ufunc.nin):
        inputs = [tg.Tensor(a, a.dtype.kind == "f") if j == k else a for j, a in enumerate(arrays)]
        z = ufunc(*inputs)
        assert type(z) is tg.Tensor
        assert z.dtype == expected.dtype
        assert z.requires_grad == (row.differentiable and inputs[k].requires_grad)
        np.testing.assert_array_equal(z.data, expected.data)


X = np.array([[3.0, 1.0, 2.0], [5.0, 4.0, 6.0]])
CALLS = {
    np.sum: lambda np, x: np.sum(x, axis=1, keepdims=True),
    np.mean: lambda np, x: np.mean(x, axis=0),
    np.var: lambda np, x: np.var(x, axis=1, ddof=1),
    np.std: lambda np, x: np.std(x, axis=(0, 1)),
    np.max: lambda np, x: np.max(x, axis=0),
    np.min: lambda np, x: np.min(x),
    np.prod: lambda np, x: np.prod(x, axis=-1),
    np.cumsum: lambda np, x: np.cumsum(x, axis=0),
    np.argmax: lambda np, x: np.argmax(x, axis=1),
    np.argmin: lambda np, x: np.argmin(x),
    np.all: lambda np, x: np.all(x, axis=0),
    np.any: lambda np, x: np.any(x),
    np.clip: lambda np, x: np.clip(x, 1.5, 4.5),
    np.where: lambda np, x: np.where(X > 2, x, 0.0),
    np.reshape: lambda np, x: np.reshape(x, (3, -1)),
    np.transpose: lambda np, x: np.transpose(x),
    np.swapaxes: lambda np, x: np.swapaxes(x, 0, 1),
    np.squeeze: lambda np, x: np.squeeze(x[:, :1], axis=1),
    np.expand_dims: lambda np, x: np.expand_dims(x, 1),
    np.broadcast_to: lambda np, x: np.broadcast_to(x, (2, 2, 3)),
    np.flip: lambda np, x: np.flip(x, axis=0),
    np.concatenate: lambda np, x: np.concatenate([X, x], axis=1),
    np.stack: lambda np, x: np.stack([x, X]),
    np.einsum: lambda np, x: np.einsum("ij,kj->ik", x, X),
    np.copy: lambda np, x: np.copy(x),
    np.amax: lambda np, x: np.amax(x, 1),
    np.amin: lambda np, x: np.amin(x, axis=0, initial=2.0),
    np.round: lambda np, x: np.round(x / 7, 2),
    np.around: lambda np, x: np.around(x / 7),
    np.ravel: lambda np, x: np.ravel(x, "F"),
    np.moveaxis: lambda np, x: np.moveaxis(x, 0, -1),
    np.vstack: lambda np, x: np.vstack([x, X[0]]),
    np.hstack: lambda np, x: np.hstack([X, x]),
    np.pad: lambda np, x: np.pad(x, ((0, 1), (2, 0)), constant_values=7),
    np.split: lambda np, x: np.split(x, [1, 2], axis=1)[1],
    np.array_split: lambda np, x: np.array_split(x, 2, axis=1)[0],
    np.zeros_like: lambda np, x: np.zeros_like(x, shape=(3,)),
    np.ones_like: lambda np, x: np.ones_like(x),
    np.empty_like: lambda np, x: np.empty_like(x, shape=(0, 2)),
    np.full_like: lambda np, x: np.full_like(x, 2.5),
    np.dot: lambda np, x: np.dot(x, X.T),
    np.inner: lambda np, x: np.inner(X, x),
    np.outer: lambda np, x: np.outer(x, [1.0, 2.0]),
    np.vdot: lambda np, x: np.vdot(x, X),
    np.tensordot: lambda np, x: np.tensordot(x, X, ([0], [0])),
    np.take: lambda np, x: np.take(x, [2, 0], axis=1),
    np.take_along_axis: lambda np, x: np.take_along_axis(x, np.array([[1], [2]]), 1),
}
SQUARE = np.array([[2.0, 0.5, 0.0], [0.5, 3.0, 0.25], [0.0, 0.25, 1.5]])
CALLS |= {
    np.linalg.norm: lambda np, x: np.linalg.norm(x, axis=1),
    np.linalg.inv: lambda np, x: np.linalg.inv(x[:, :2]),
    np.linalg.solve: lambda np, x: np.linalg.solve(SQUARE, x.T),
    np.linalg.det: lambda np, x: np.linalg.det(x[:, 1:]),
    np.linalg.slogdet: lambda np, x: np.linalg.slogdet(x[:, 1:])[1],
    np.linalg.cholesky: lambda np, x: np.linalg.cholesky(x.T @ x + SQUARE),
    np.linalg.qr: lambda np, x: np.linalg.qr(x)[1],
    np.linalg.svd: lambda np, x: np.linalg.svd(x, full_matrices=False)[1],
    np.linalg.eigh: lambda np, x: np.linalg.eigh(x.T @ x + SQUARE)[0],
    np.linalg.eigvalsh: lambda np, x: np.linalg.eigvalsh(x.T @ x + SQUARE),
    np.linalg.pinv: lambda np, x: np.linalg.pinv(x),
    np.linalg.matrix_rank: lambda np, x: np.linalg.matrix_rank(x),
    np.linalg.matrix_power: lambda np, x: np.linalg.matrix_power(x[:, :2], 3),
    np.linalg.multi_dot: lambda np, x: np.linalg.multi_dot([x, SQUARE, X.T]),
    np.linalg.cond: lambda np, x: np.linalg.cond(x),
    np.kron: lambda np, x: np.kron(x, [[1.0, 2.0]]),
    np.cross: lambda np, x: np.cross(x, [1.0, 2.0, 4.0]),
    np.sort: lambda np, x: np.sort(-x, axis=None),
    np.argsort: lambda np, x: np.argsort(-x, axis=0),
    np.median: lambda np, x: np.median(x, axis=0),
    np.quantile: lambda np, x: np.quantile(x, [0.25, 0.8], axis=1, keepdims=True),
    np.nansum: lambda np, x: np.nansum(x, axis=0),
    np.nanmean: lambda np, x: np.nanmean(x, axis=1, keepdims=True),
    np.count_nonzero: lambda np, x: np.count_nonzero(x, axis=1),
    np.cumprod: lambda np, x: np.cumprod(x),
    np.cov: lambda np, x: np.cov(x, rowvar=False, bias=True),
    np.corrcoef: lambda np, x: np.corrcoef(x * [[0.5, 2.0, 1.0], [2.0, 0.5, 1.5]]),
    np.trapezoid: lambda np, x: np.trapezoid(x, [0.0, 1.0, 3.0]),
    np.nan_to_num: lambda np, x: np.nan_to_num(x * [np.inf, 1.0, 1.0], posinf=9.0),
    np.sinc: lambda np, x: np.sinc(x / 7),
    np.split: lambda np, x: np.split(x, [1], axis=1)[1],
    np.tile: lambda np, x: np.tile(x, (2, 1, 2)),
    np.repeat: lambda np, x: np.repeat(x, [2, 0, 1], axis=1),
    np.roll: lambda np, x: np.roll(x, (1, -2), axis=(0, 1)),
    np.diagonal: lambda np, x: np.diagonal(x, 1),
    np.trace: lambda np, x: np.trace(x),
    np.diag: lambda np, x: np.diag(x[0], -1),
    np.tril: lambda np, x: np.tril(x),
    np.triu: lambda np, x: np.triu(x, 1),
}
SIZES = {np.shape: (2, 3), np.ndim: 2, np.size: 6}
CONSTANT = {np.zeros_like, np.ones_like, np.empty_like, np.full_like}


def test_numpy_reads_sizes_of_tensors():
    for function, expected in SIZES.items():
        assert function(leaf(2, 3)) == expected
    assert np.size(leaf(2, 3), 1) == 3


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f not in SIZES], ids=lambda f: f.__name__)
def test_a_numpy_function_of_tensors_is_the_op(function):
    x = tg.Tensor(X, requires_grad=True)
    z, expected = CALLS[function](np, x), CALLS[function](np, X)
    assert type(z) is tg.Tensor
    assert z.requires_grad == (z.dtype == np.float64 and function not in CONSTANT)
    np.testing.assert_allclose(z.data, expected, rtol=1e-14)


def test_reductions_by_ufunc():
    x = leaf(2, 3)
    z = np.add.reduce(x, axis=1)
    assert type(z) is tg.Tensor and z.requires_grad
    np.testing.assert_allclose(z.data, x.data.sum(1))


def test_functions_without_a_rule_work_on_values_and_refuse_to_lose_gradients():
    t, x = tg.arange(3.0), leaf(3)
    np.testing.assert_array_equal(np.i0(t), np.i0(t.data))
    np.testing.assert_allclose(np.nextafter(t, 1.0).data, np.nextafter(t.data, 1))
    assert np.percentile(t, 50) == 1.0
    for lost in (lambda: np.nextafter(x, 1.0), lambda: np.percentile(x, 50), lambda: np.maximum.accumulate(x)):
        with pytest.raises(tg.GraphError, match="no gradient rule"):
            lost()
    with tg.no_grad():
        np.testing.assert_allclose(np.nextafter(x, 1.0).data, np.nextafter(x.data, 1))
    np.testing.assert_allclose(np.nextafter(x.detach(), 1.0).data, np.nextafter(x.data, 1))


def test_predicates_of_numpy_look_at_values():
    x = leaf(3)
    assert (
        np.allclose(x, x.data) and np.array_equal(x, x) and np.shape(x) == (3,) and np.ndim(x) == 1 and np.size(x) == 3
    )


def test_out_is_written_in_place_by_ops_of_ours_and_else_refused():
    t = tg.zeros(3)
    assert np.add(np.ones(3, np.float32), 1.0, out=t) is t and t.tolist() == [2.0] * 3
    with pytest.raises(tg.GraphError, match="can't write"):
        np.nextafter(np.ones(3), 1.0, out=t)
    a = np.zeros(3)
    a += tg.ones(3)
    assert type(a) is np.ndarray
    assert a.tolist() == [1, 1, 1]
    with pytest.raises(tg.GraphError):
        a += leaf(3)


def test_arrays_and_numpy_scalars_beside_tensors():
    x = leaf(2, 3)
    for z in (X + x, x + X, X * x, X @ x.T, X - x, X / x, X**x, np.float64(2) * x, np.float32(2) - x, np.less(X, x)):
        assert type(z) is tg.Tensor
    (X * x).backward(np.full((2, 3), 2.0))
    np.testing.assert_allclose(x.grad.data, 2 * X)
    assert (np.float64(2) * tg.ones(2)).dtype == np.float32
    assert (np.ones(2) * tg.ones(2)).dtype == np.float64


def test_logic_between_arrays_and_tensors():
    flags = np.array([True, False, True])
    t = tg.tensor([True, True, False])
    assert (flags & t).tolist() == (t & flags).tolist() == [True, False, False]
    assert (flags | t).tolist() == [True, True, True]
    assert type(np.array(True) & tg.tensor(True)) is tg.Tensor


def test_sorting_and_printing_go_by_values():
    t = tg.tensor([2.0, 1.0])
    assert np.sort(t).tolist() == [1, 2]
    assert sorted(t.tolist()) == [1, 2]
    assert repr(t) == "tensor([2., 1.])"


# --------------------------------------------------------------------------------------------------------------- DLPack


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_dlpack_shares_memory_both_ways(dtype):
    a = np.arange(6).reshape(2, 3).astype(dtype)
    t = tg.from_dlpack(a)
    assert t.dtype == a.dtype and np.shares_memory(t.data, a)
    back = np.from_dlpack(t)
    assert np.shares_memory(back, a)
    np.testing.assert_array_equal(back, a)
    assert t.__dlpack_device__() == (1, 0)


def test_dlpack_does_not_lose_a_gradient():
    with pytest.raises(tg.GraphError, match="detach"):
        np.from_dlpack(leaf(3))
    assert np.from_dlpack(leaf(3).detach()).shape == (3,)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_dlpack_with_pytorch(dtype):
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype))
    t = tg.from_dlpack(theirs)
    theirs[0, 0] = 9
    assert t.dtype == np.dtype(dtype) and t[0, 0].item() == 9
    back = torch.from_dlpack(t)
    t[1, 1] = 7
    assert back[1, 1].item() == 7
    assert np.asarray(theirs.T).shape == tg.from_dlpack(theirs.T).shape == (3, 2)
