"""PyTorch's language: generated calls, spelled as PyTorch spells them, give its values, dtypes and gradients."""

import warnings

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F

CALLS = []
"""Functions (library, its nn.functional, rng, shape) -> a list of results, written once and run on both."""


def call(function):
    CALLS.append(function)
    return function


class Draw:
    """Random arguments, the same for both libraries: tensors of this library's kind, axes and flags."""

    def __init__(self, seed, tensor, dtype):
        self.rng, self.tensor, self.dtype = np.random.default_rng(seed), tensor, dtype
        self.leaves = []

    def x(self, *shape, positive=False, kind=None):
        """A tensor with ties now and then; a float one requires a gradient."""
        values = self.rng.standard_normal(shape)
        if self.rng.random() < 0.3:
            values = np.round(values)
        values = np.abs(values) + 0.25 if positive else values
        kind = kind or self.dtype
        values = np.asarray(values * 5 if kind.startswith("int") else values).astype(kind)
        x = self.tensor(values, requires_grad=kind.startswith("float"))
        if kind.startswith("float"):
            self.leaves.append(x)
        return x

    def shape(self, least=0, most=4):
        return tuple(int(n) for n in self.rng.integers(1, 5, self.rng.integers(least, most + 1)))

    def dim(self, ndim):
        return int(self.rng.integers(-ndim, ndim))

    def dims(self, ndim):
        chosen = self.rng.permutation(ndim)[: self.rng.integers(1, ndim + 1)]
        return tuple(int(k) - (ndim if self.chance(0.3) else 0) for k in chosen)

    def chance(self, p=0.5):
        return bool(self.rng.random() < p)

    def one_of(self, *options):
        return options[self.rng.integers(len(options))]


def several_axes(name):
    def reduction(lib, F, d):
        shape = d.shape(1)
        x, keepdim = d.x(*shape), d.chance()
        dim = d.one_of(d.dim(len(shape)), d.dims(len(shape)))
        f, method = getattr(lib, name), getattr(x, name)
        results = [f(x, dim, keepdim), method(dim), f(x, dim=dim, keepdim=keepdim), method(keepdim=keepdim, dim=dim)]
        return results if name == "logsumexp" else [*results, f(x), method()]

    reduction.__name__ = name
    return reduction


def along_one_axis(name):
    def reduction(lib, F, d):
        shape = d.shape(1)
        x, dim, keepdim = d.x(*shape), d.dim(len(shape)), d.chance()
        f, method = getattr(lib, name), getattr(x, name)
        pairs = f(x, dim, keepdim), method(dim), f(x, dim=dim, keepdim=keepdim), method(dim, keepdim=keepdim)
        values = [part for z in pairs for part in (z if name in ("max", "min") else [z])]
        return [*values, *([pairs[0].values, pairs[1].indices] if name in ("max", "min") else []), f(x), method()]

    reduction.__name__ = name
    return reduction


def moments(name):
    def reduction(lib, F, d):
        shape = d.shape(2)
        x, f = d.x(*shape), getattr(lib, name)
        dim = d.one_of(d.dim(len(shape)), d.dims(len(shape)))
        found = [
            f(x), f(x, d.chance()), f(x, unbiased=d.chance()), f(x, dim), f(x, dim, d.chance(), d.chance()),
            f(x, dim=dim, unbiased=d.chance(), keepdim=d.chance()), f(x, None, keepdim=True),
            f(x, dim=dim, correction=d.one_of(0, 1, 2, 0.5), keepdim=d.chance()),
        ]  # fmt: skip
        return [part for z in found for part in z] if name.endswith("_mean") else found

    reduction.__name__ = name
    return reduction


CALLS += [several_axes(name) for name in ("sum", "mean", "amax", "amin", "logsumexp", "all", "any")]
CALLS += [along_one_axis(name) for name in ("max", "min", "argmax", "argmin", "prod")]
CALLS += [moments(name) for name in ("var", "std", "var_mean", "std_mean")]


@call
def sums_in_a_dtype(lib, F, d):
    kind = d.one_of("int64", "int32", "bool", "float32")
    x, name = d.x(*d.shape(1), kind=kind), d.one_of("sum", "prod")
    kinds = (None, lib.float64, lib.float32, *([] if kind == "float32" else [lib.int64]))
    return getattr(lib, name)(x, dtype=d.one_of(*kinds))


@call
def cumsum(lib, F, d):
    shape = d.shape(1)
    x = d.x(*shape, kind=d.one_of(None, None, "int32", "bool"))
    return x.cumsum(d.dim(len(shape)), dtype=d.one_of(None, None, lib.float64))


@call
def aminmax(lib, F, d):
    shape = d.shape(1)
    return lib.aminmax(d.x(*shape), dim=d.dim(len(shape)), keepdim=d.chance())


@call
def extremes_of_two(lib, F, d):
    x, y = d.x(3, 4), d.x(4)
    return [lib.max(x, y), lib.min(x, other=y), x.max(y), x.maximum(y), x.minimum(y)]


@call
def transposing(lib, F, d):
    shape = d.shape(2)
    n = len(shape)
    x, a, b = d.x(*shape), d.dim(n), d.dim(n)
    order = [int(k) for k in d.rng.permutation(n)]
    return [
        x.transpose(a, b),
        lib.transpose(x, dim0=a, dim1=b),
        x.swapaxes(a, b),
        lib.swapdims(x, a, b),
        x.permute(*order),
        lib.permute(x, order),
        x.permute(dims=order),
        lib.movedim(x, a, b),
        x.moveaxis(order[:2], order[::-1][:2]),
        x.reshape(shape[0] * shape[1], *shape[2:]).reshape(shape=(-1,)),
        d.x(2, 3).t(),
        x.mT,
    ]


@call
def squeezing(lib, F, d):
    shape = d.shape(1)
    n = len(shape)
    x = d.x(*shape)
    return [
        x.squeeze(),
        x.squeeze(d.dim(n)),
        lib.squeeze(x, d.dims(n)),
        x.unsqueeze(d.dim(n + 1)),
        lib.unsqueeze(x, dim=0),
    ]


@call
def flattening(lib, F, d):
    shape = d.shape(2)
    x = d.x(*shape)
    return [
        lib.flatten(x),
        x.flatten(1),
        x.flatten(start_dim=0, end_dim=-2),
        x.flip(0),
        lib.flip(x, dims=(0, 1)),
        x.flip([1]),
    ]


@call
def expanding(lib, F, d):
    x = d.x(3, 1)
    return [
        x.expand(3, 4),
        x.expand(2, -1, 5),
        x.expand(size=(3, 2)),
        lib.broadcast_to(x, (2, 3, 4)),
        x.broadcast_to((3, 1)),
    ]


@call
def joining(lib, F, d):
    shape = d.shape(1)
    dim = d.dim(len(shape))
    x, y = d.x(*shape), d.x(*shape)
    name = d.one_of("cat", "concat", "concatenate")
    empty = lib.zeros(0, dtype=x.dtype)
    return [getattr(lib, name)([x, y], dim), lib.cat((x, y, x), dim=0), lib.stack([x, y], dim), lib.cat([empty, x])]


@call
def splitting(lib, F, d):
    n = int(d.rng.integers(1, 8))
    x, size = d.x(n, 2), int(d.rng.integers(1, 5))
    return [*x.split(size), *lib.split(x, size, dim=0), *x.split([1, n - 1]), *x.split(split_size=1, dim=1)]


@call
def softmax(lib, F, d):
    shape = d.shape(1)
    x, dim = d.x(*shape), d.dim(len(shape))
    more = {"dtype": lib.float64} if d.chance(0.3) else {}
    return [
        lib.softmax(x, dim, **more),
        x.log_softmax(dim=dim),
        F.softmax(x, dim=dim, **more),
        F.log_softmax(x, dim),
        F.softmax(x),
    ]


@call
def arithmetic(lib, F, d):
    x, y = d.x(2, 3), d.x(3, positive=True)
    alpha = d.one_of(2, 0.5, -1)
    return [
        lib.add(x, y, alpha=alpha), x.sub(y, alpha=alpha), lib.subtract(x, 2), x.mul(y), lib.multiply(x, 2.0),
        x.div(y), lib.true_divide(x, 3), x.neg(), lib.negative(x), x.abs(), lib.absolute(x), x.pow(2),
        lib.pow(x, exponent=3), x.square(), x.remainder(y), lib.remainder(x, 0.7), x.sign(), x.reciprocal(),
        x.clamp(-0.5, 0.5), x.clamp(min=0), lib.clip(x, max=0.25),
        lib.clamp(x, min=y - 1, max=y),
        lib.where(x > 0, x, y), x.where(x > 0, y),
        lib.where(x > 0, x, 0.0), lib.maximum(x, y), x.matmul(y), lib.matmul(x, y),
    ]  # fmt: skip


@call
def rounding(lib, F, d):
    x, y = d.x(2, 3), d.x(3, positive=True)
    k, m = d.x(4, kind="int64"), d.x(4, kind="int64").abs() + 1
    return [
        x.floor(), x.ceil(), x.round(), lib.round(x, decimals=1), (x * 100).round(decimals=-1),
        lib.div(x, y, rounding_mode="trunc").detach(), x.div(y, rounding_mode="floor").detach(),
        k.div(m, rounding_mode="trunc"), k.div(m, rounding_mode="floor"), k.div(m), k.floor_divide(m),
        k.remainder(m), x.detach().floor_divide(y.detach()),
    ]  # fmt: skip


@call
def functions(lib, F, d):
    x, p, u = d.x(2, 3), d.x(2, 3, positive=True), lib.tanh(d.x(2, 3)) * 0.9
    return [
        x.exp(), p.log(), p.log1p(), p.log2(), p.sqrt(), x.sin(), x.cos(), x.tan(), x.tanh(), x.sinh(), x.cosh(),
        u.asin(), u.acos(), x.atan(), x.asinh(), (p + 1).acosh(), u.atanh(), lib.arcsin(u), lib.arctan(x), x.erf(),
        x.expm1(), x.sigmoid(), x.relu(),
    ]  # fmt: skip


@call
def activations(lib, F, d):
    x = d.x(2, 3) + 0.25  # not at a kink, where second derivatives differ
    return [
        F.relu(x, inplace=False), F.silu(x), F.elu(x, 0.7), F.elu(x, alpha=1.3, inplace=False), F.leaky_relu(x, 0.2),
        F.softplus(x, 2), F.softplus(x, beta=0.5, threshold=1), F.gelu(x), F.gelu(x, approximate="tanh"),
        F.sigmoid(x), F.tanh(x),
    ]  # fmt: skip


@call
def comparing(lib, F, d):
    x, y = d.x(2, 3), d.x(3)
    k, m = d.x(4, kind="int64"), d.x(4, kind="int64")
    return [
        x.eq(y), lib.ne(x, y), x.lt(y), lib.le(x, 0), x.gt(0.5), lib.ge(x, y), lib.greater(x, y), x.not_equal(x),
        lib.logical_and(x > 0, y > 0), (x > 0).logical_or(y > 0), lib.logical_not(x > 0), k.bitwise_and(m),
        lib.bitwise_xor(k, m), k.bitwise_or(3), lib.bitwise_not(k), lib.isnan(x), x.isfinite(),
        lib.tensor(lib.equal(x, x)), lib.tensor(x.equal(y)),
    ]  # fmt: skip


@call
def gathering(lib, F, d):
    x = d.x(3, 4)
    k = lib.tensor(d.rng.integers(0, 3, (2, 5)) if d.chance() else d.rng.integers(0, 3, (3, 2)))
    dim = 1 if k.shape[0] == 3 or d.chance() else 0
    k = k[:, :4] if dim == 0 else k
    return [lib.gather(x, dim, k), x.gather(dim=dim, index=k), F.one_hot(k % 3, num_classes=4)]


@call
def padding(lib, F, d):
    x = d.x(2, 3, 5, 4)
    a, b, c, e = (int(n) for n in d.rng.integers(-1, 3, 4))
    value = d.one_of(0, 1.5)
    mode = d.one_of("reflect", "replicate", "circular")
    return [F.pad(x, (a, b)), F.pad(x, (a, b, c, e), "constant", value), F.pad(x, [1, 0, 2, 1], mode=mode)]


@call
def einsum(lib, F, d):
    x, y = d.x(2, 3), d.x(3, 4)
    return [lib.einsum("ij,jk->ik", x, y), lib.einsum("ij,jk", [x, y]), lib.einsum("ij->j", x)]


@call
def creation(lib, F, d):
    x = d.x(2, 3)
    return [
        lib.zeros(2, 3), lib.ones((2, 3), dtype=lib.int64), lib.zeros(size=(2,), device="cpu"), lib.full((2, 2), 3),
        lib.full((2,), 1.5), lib.full(size=(2,), fill_value=True), lib.arange(5), lib.arange(1, 4, 0.5),
        lib.arange(0, 5, 2, dtype=lib.float32), lib.linspace(0, 1, steps=5), lib.eye(3), lib.eye(2, m=3),
        lib.zeros_like(x), lib.ones_like(input=x, dtype=lib.float64), lib.tensor([1, 2]),
        lib.tensor([1.0, 2.0], dtype=lib.float64), lib.tensor(True), lib.as_tensor([1, 2], dtype=lib.float32),
        lib.randint(5, (0, 3)), lib.randint(0, 5, size=(0,), dtype=lib.int32), lib.rand(0, 2), lib.randn((0, 2)),
        lib.randperm(0),
    ]  # fmt: skip


@call
def converting(lib, F, d):
    x, k = d.x(2, 3), d.x(3, kind="int64")
    return [
        x.float(), x.double(), (x * 3).int().abs(), (x * 3).long(), x.bool(), k.float(), k.double(),
        k.to(lib.float32), k.to("cpu"), x.to("cpu", lib.float64), k.type(lib.float64), k.to(x), x.type_as(k),
        x.half(), k.short(), lib.tensor(x.size(0)), lib.tensor(x.size()), lib.tensor(x.size(-1)),
        lib.tensor([x.numel(), x.nelement(), x.dim(), k.dim()]),
    ]  # fmt: skip


@call
def promotion(lib, F, d):
    kinds = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool")
    shapes = ((), (2,))
    a = lib.tensor(np.ones(d.one_of(*shapes), d.one_of(*kinds)))
    b = lib.tensor(np.ones(d.one_of(*shapes), d.one_of(*kinds)))
    scalar = d.one_of(2, 2.0, True)
    results = [a + b, a * b, lib.maximum(a, b), a / b, a * scalar, a == b, lib.where(lib.tensor([True, False]), a, b)]
    return [*results, lib.cat([a.reshape(-1), b.reshape(-1)]), lib.stack([a.reshape(-1)[0], b.reshape(-1)[0]])]


def run(function, seed, lib, functional, tensor, dtype):
    d = Draw(seed, tensor, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = function(lib, functional, d)
    return list(found) if isinstance(found, (tuple, list)) else [found], d.leaves


def same(ours, theirs, what, dtype):
    theirs = theirs.numpy(force=True)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), what
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours.data, theirs, err_msg=what)
        return
    tolerance = 1e-10 if dtype == "float64" and ours.dtype == np.float64 else 2e-3 if ours.dtype == np.float16 else 1e-5
    largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=1.0)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=tolerance * largest, err_msg=what)


@pytest.mark.oracle
@pytest.mark.seeds(4)
@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_a_call_unchanged_gives_pytorchs_result(function, seed):
    torch = pytest.importorskip("torch")
    dtype = ("float64", "float32")[seed % 2]
    ours, x = run(function, seed, tg, F, tg.tensor, dtype)
    theirs, t = run(function, seed, torch, torch.nn.functional, torch.tensor, dtype)
    assert len(ours) == len(theirs)
    rng = np.random.default_rng(seed)
    for k, (z, w) in enumerate(zip(ours, theirs, strict=True)):
        what = f"result {k}"
        same(z, w, what, dtype)
        assert z.requires_grad == w.requires_grad, what
        if not z.requires_grad:
            continue
        upstream = rng.standard_normal(z.shape).astype(z.dtype)
        g = tg.grad(z, x, upstream, allow_unused=True, create_graph=True)
        e = torch.autograd.grad(w, t, torch.tensor(upstream), allow_unused=True, create_graph=True)
        for j, (a, b) in enumerate(zip(g, e, strict=True)):
            if a is None or b is None:
                assert (a is None or not a.data.any()) and (b is None or not b.any()), what
                continue
            same(a, b, f"{what}, gradient {j}", dtype)
            if not b.requires_grad or not a.requires_grad:
                continue
            v = rng.standard_normal(a.shape).astype(a.dtype)
            second = tg.grad(a, x, v, allow_unused=True, retain_graph=True)
            wanted = torch.autograd.grad(b, t, torch.tensor(v), allow_unused=True, retain_graph=True)
            for s, w2 in zip(second, wanted, strict=True):
                if s is not None and w2 is not None:
                    same(s, w2, f"{what}, second derivative of gradient {j}", dtype)


# ----------------------------------------------------------------------------------------------------------- one by one


def test_backward_into_some_inputs():
    x, w = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    loss = (x * w * 3).sum()
    loss.backward(inputs=[x], retain_graph=True)
    assert x.grad is not None and x.grad.tolist() == [3, 3] and w.grad is None
    loss.backward(inputs=x)
    assert x.grad.tolist() == [6, 6] and w.grad is None
    with pytest.raises(tg.ArgumentError, match="at least one"):
        (x * w).sum().backward(inputs=[])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.max(1).values + x.min(1)[0],
        lambda x: x.max(1).indices,
        lambda x: tg.gather(x, 1, (x > 0).long()),
        lambda x: x * 2 if tg.equal(x, x) else x,
        lambda x: x.var(1) + tg.std_mean(x)[1],
        lambda x: F.pad(x[None], (1, -1, 2, 0), mode="replicate"),
        lambda x: tg.div(x, 0.3, rounding_mode="trunc"),
        lambda x: x.transpose(0, 1).to(tg.float64).sum(dim=0, dtype=tg.float32),
    ],
)
def test_a_compiled_function_follows(function):
    compiled = tg.compile(function)
    for seed in range(4):
        x = tg.tensor(np.random.default_rng(seed).standard_normal((3, 3)), dtype=tg.float32)
        assert compiled(x).numpy().tobytes() == function(x).numpy().tobytes()
    assert compiled.replays > 0


def test_numpys_functions_mean_what_numpy_means():
    array = np.random.default_rng(0).standard_normal((3, 4))
    x = tg.tensor(array)
    for function in (
        np.var, np.std, np.transpose, np.cumsum, np.flip, lambda a: np.max(a, axis=1), lambda a: np.min(a, 0),
        lambda a: np.sum(a, axis=()), lambda a: np.squeeze(a[None], 0), lambda a: np.pad(a, ((1, 0), (0, 2))),
        lambda a: np.split(a, [1], axis=1)[1], lambda a: np.concatenate([a, a], axis=None),
        lambda a: np.argmax(a, axis=1, keepdims=True), lambda a: np.equal(a, a),
        lambda a: np.take_along_axis(a, np.array([[-1], [0], [1]]), 1),
    ):  # fmt: skip
        np.testing.assert_allclose(np.asarray(function(x)), function(array), rtol=1e-12)
    with pytest.raises(tg.ShapeError, match="must have length 1"):
        np.squeeze(x, 0)


def test_dtypes_and_constants_have_pytorchs_names():
    assert (tg.float, tg.double, tg.half, tg.long, tg.int, tg.short) == tuple(
        np.dtype(name) for name in ("float32", "float64", "float16", "int64", "int32", "int16")
    )
    assert tg.zeros(2, dtype=tg.bool).dtype == bool and tg.inf > tg.pi > tg.e
    assert tg.ones(1).device == tg.device("cpu") == "cpu" and str(tg.device("cpu:0")) == "cpu"
    assert not tg.cuda.is_available() and tg.cuda.device_count() == 0
    assert tg.ones(2).type() == "torch.FloatTensor" and tg.ones(2).type("torch.LongTensor").dtype == tg.long


def test_numbers_of_a_dtype_are_not_rounded_on_the_way():
    for make in (tg.as_tensor, tg.tensor):
        assert make(0.7, dtype="float64").item() == 0.7 and make([[0.1]], dtype="float64").tolist() == [[0.1]]
        assert make(2**53 - 1, dtype="float64").item() == 2.0**53 - 1
    w = tg.ones(2, requires_grad=True)
    tg.as_tensor([w[0] * 2, 3.0], dtype="float64").sum().backward()
    assert w.grad.tolist() == [2.0, 0.0]


def test_integers_alone_are_sizes_of_a_tensor():
    """As in `nn.Parameter(torch.Tensor(2, 3))`, which older scripts fill afterwards."""
    assert tg.Tensor(2, 3).shape == (2, 3) and tg.Tensor(4).shape == (4,) and tg.Tensor().shape == (0,)
    assert tg.Tensor(*(1, 2, 3, 4)).dtype == np.float32 and tg.nn.Parameter(tg.Tensor(2, 3)).requires_grad
    assert tg.Tensor(4.0).shape == tg.Tensor(4, dtype="int64").shape == tg.Tensor(np.array(4)).shape == ()
    with pytest.raises(tg.ArgumentError, match="negative"):
        tg.Tensor(2, -3)


@pytest.mark.oracle
def test_memory_formats_change_nothing_and_are_told_apart_as_in_pytorch():
    torch = pytest.importorskip("torch")
    model = tg.nn.Conv2d(2, 3, 3)
    assert model.to(memory_format=tg.channels_last) is model
    for axes in ((0, 1, 2, 3), (0, 3, 1, 2)):
        array = np.zeros((2, 3, 4, 5), np.float32).transpose(axes)
        ours, theirs = tg.from_numpy(array), torch.from_numpy(array)
        assert ours.is_contiguous() == theirs.is_contiguous()
        for name in ("contiguous_format", "channels_last"):
            expected = theirs.is_contiguous(memory_format=getattr(torch, name))
            assert ours.is_contiguous(memory_format=getattr(tg, name)) == expected
        assert ours.to(memory_format=tg.channels_last).contiguous(memory_format=tg.preserve_format).shape == array.shape


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64"])
def test_limits_of_dtypes_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    which = "finfo" if name.startswith("float") else "iinfo"
    ours, theirs = (getattr(lib, which)(getattr(lib, name)) for lib in (tg, torch))
    for limit in ("min", "max", "bits", "dtype", *(("eps", "tiny", "smallest_normal") if which == "finfo" else ())):
        assert getattr(ours, limit) == getattr(theirs, limit), limit
        assert type(getattr(ours, limit)) is type(getattr(theirs, limit))
    assert tg.finfo().dtype == "float32"
    with pytest.raises(tg.DTypeError, match="must be"):
        (tg.iinfo if which == "finfo" else tg.finfo)(name)


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["Float", "Double", "Half", "Byte", "Char", "Short", "Int", "Long", "Bool"])
def test_types_of_tensors_are_pytorchs(kind):
    torch = pytest.importorskip("torch")
    ours, theirs = (getattr(lib, f"{kind}Tensor") for lib in (tg, torch))
    for data in ([1, 0, 3], [[1.0], [2.0]], np.arange(3.0 if kind in ("Float", "Double") else 3), []):
        if not isinstance(data, np.ndarray) or kind == "Double":  # PyTorch takes arrays of the type's own dtype
            same(ours(data), theirs(data), kind, "float32")
    assert ours(2, 3).shape == tuple(theirs(2, 3).shape) and ours().shape == tuple(theirs().shape)
    x, y = tg.tensor([0.0, 2.5]), torch.tensor([0.0, 2.5])
    same(x.type(ours), y.type(theirs), kind, "float32")
    assert isinstance(x, ours) == isinstance(y, theirs)


def test_switches_of_other_devices_change_nothing():
    import tensorgrad.backends.cudnn as cudnn
    from tensorgrad.cuda.amp import autocast
    from tensorgrad.utils.data.dataloader import DataLoader
    from tensorgrad.utils.data.dataset import Dataset
    from tensorgrad.utils.data.sampler import SubsetRandomSampler

    tg.backends.cudnn.benchmark = cudnn.deterministic = True
    tg.backends.cuda.matmul.allow_tf32 = True
    data = tg.utils.data
    assert (data.DataLoader, data.Dataset, data.SubsetRandomSampler) == (DataLoader, Dataset, SubsetRandomSampler)
    assert not tg.backends.mps.is_available() and not cudnn.is_available()

    @autocast()
    def product(a, b):
        return a @ b

    with tg.autocast(device_type="cpu", dtype=tg.float16, enabled=True), tg.amp.autocast("cuda"):
        assert product(tg.ones(2, 2), tg.ones(2, 2)).dtype == tg.float32
    with pytest.raises(ZeroDivisionError), tg.amp.autocast("cpu"):
        raise ZeroDivisionError  # what goes wrong inside isn't swallowed


@pytest.mark.oracle
def test_derivatives_at_inputs_are_pytorchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(3), rng.standard_normal((2, 3))

    def several(lib):
        return lambda a, b: (a * b.sum(0)).sin() + b.prod()

    def found(lib):
        a, b = lib.tensor(x), lib.tensor(y)
        of = lib.autograd.functional
        number = lambda a, b: several(lib)(a, b).sum()  # noqa: E731
        return [
            of.jacobian(lambda a: a.exp() * a.sum(), a),
            *of.jacobian(several(lib), (a, b)),
            *[g for pair in of.jacobian(lambda a, b: (a * 2, b.sum() * a), (a, b)) for g in pair],
            of.hessian(lambda a: (a**3).sum() * a.prod(), a),
            *[h for row in of.hessian(number, (a, b)) for h in row],
        ]

    for ours, theirs in zip(found(tg), found(torch), strict=True):
        assert not ours.requires_grad
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-12)
    leaf = tg.tensor(x, requires_grad=True)
    assert tg.autograd.functional.jacobian(lambda a: a**3, leaf, create_graph=True).requires_grad


def test_gradients_of_whatever_holds_the_inputs():
    model = tg.nn.Linear(2, 1)
    loss = model(tg.ones(3, 2)).sum()
    wanted = [[[3.0, 3.0]], [3.0]]
    for inputs in (model.parameters(), dict(model.named_parameters()).values(), tuple(model.parameters())):
        assert [g.tolist() for g in tg.autograd.grad(loss, inputs, retain_graph=True)] == wanted


def test_older_names_of_modules_and_variables():
    from tensorgrad.autograd import Variable
    from tensorgrad.nn.modules.batchnorm import _BatchNorm
    from tensorgrad.nn.modules.conv import _ConvNd
    from tensorgrad.nn.modules.utils import _pair

    nn = tg.nn
    assert isinstance(nn.BatchNorm2d(1), _BatchNorm) and not isinstance(nn.InstanceNorm2d(1), _BatchNorm)
    assert isinstance(nn.Conv3d(1, 1, 1), _ConvNd) and _pair(2) == (2, 2) and _pair([1, 2]) == (1, 2)
    assert nn.modules.Module is nn.Module
    x = tg.ones(2)
    v = Variable(x, requires_grad=True)
    assert Variable(x) is x and v.requires_grad and v.is_leaf and not x.requires_grad
    assert np.shares_memory(v.numpy(), x.numpy())
    with pytest.raises(tg.DTypeError, match="data must be a tensor"):
        Variable([1.0])
