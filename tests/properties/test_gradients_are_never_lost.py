"""A computation carries the gradient of every tensor it is given, however that is passed, or says that it can't.

Generated: a function × one of its arguments × a way of passing a tensor that requires a gradient (itself, or in lists,
nested or not, alone or mixed with numbers; for parameters a scalar). The gradient equals finite differences under a
random upstream gradient, or an error of tensorgrad's is raised.
"""

import inspect
import warnings

import numpy as np
import pytest
from cases import CASES

import tensorgrad as tg

nn = tg.nn


# ------------------------------------------------------------------------------------------------------ ways of passing


def by_rows(w):
    """The tensors along the first axis, in a list."""
    return [w[k] for k in range(w.shape[0])] if w.ndim else w


def nested(w):
    """Lists of lists, down to scalars."""
    return [nested(w[k]) for k in range(w.shape[0])] if w.ndim else w


def mixed(w, numbers):
    """Lists of lists in which every other element is a number, the first never."""
    if w.ndim > 1:
        return [mixed(w[k], numbers[k]) for k in range(w.shape[0])]
    return [float(numbers[k]) if k % 2 else w[k] for k in range(w.shape[0])] if w.ndim else w


def in_tuples(w):
    """Tuples of lists."""
    return tuple(by_rows(w)) if w.ndim else w


WAYS = {
    "tensor": lambda w, numbers: w,
    "rows": lambda w, numbers: by_rows(w),
    "nested": lambda w, numbers: nested(w),
    "mixed": mixed,
    "tuples": lambda w, numbers: in_tuples(w),
    "stacked": lambda w, numbers: tg.stack(by_rows(w)) if w.ndim else w,
    "assigned": lambda w, numbers: assigned(w),
}


def assigned(w):
    """Written into another tensor, as nested lists."""
    z = tg.zeros(*w.shape, dtype="float64")
    z[...] = nested(w)
    return z


# ------------------------------------------------------------------------------------------------- functions, arguments

LABELS, SIGNS = np.array([0, 2, 1]), np.array([1.0, -1.0, 1.0])
LOGITS = np.random.default_rng(4).standard_normal((3, 3))
INSIDE = np.random.default_rng(5).uniform(0.2, 0.8, (3, 3))
WEIGHTS = np.array([0.5, 2.0, 1.5])

LOSSES = [
    (nn.mse_loss, [LOGITS, INSIDE], {}),
    (nn.l1_loss, [LOGITS, INSIDE], {"reduction": "sum"}),
    (nn.soft_margin_loss, [WEIGHTS, SIGNS], {}),
    (nn.binary_cross_entropy, [INSIDE, INSIDE[::-1].copy(), WEIGHTS], {}),
    (nn.binary_cross_entropy_with_logits, [LOGITS, INSIDE, WEIGHTS], {"reduction": "none"}),
    (lambda x, t, w: nn.binary_cross_entropy_with_logits(x, t, pos_weight=w), [LOGITS, INSIDE, WEIGHTS], {}),
    (nn.cross_entropy, [LOGITS, INSIDE, WEIGHTS], {"label_smoothing": 0.1}),
    (lambda x, w: nn.cross_entropy(x, LABELS, w), [LOGITS, WEIGHTS], {}),
    (lambda x, w: nn.cross_entropy(x, LABELS, w, ignore_index=2, label_smoothing=0.2), [LOGITS, WEIGHTS], {}),
    (lambda x, w: nn.nll_loss(x, LABELS, w), [LOGITS, WEIGHTS], {}),
    (lambda x, w: nn.CrossEntropyLoss(weight=w)(x, LABELS), [LOGITS, WEIGHTS], {}),
    (lambda x, m, v: tg.batch_norm(x, m, v), [LOGITS, WEIGHTS, WEIGHTS + 1], {}),
    (lambda x, a: tg.leaky_relu(x, a), [LOGITS, WEIGHTS], {}),
    (lambda x, a: tg.elu(x, a), [LOGITS, WEIGHTS], {}),
    (lambda x, b: tg.softplus(x, b), [LOGITS, WEIGHTS], {}),
    (lambda x, y: tg.as_tensor([x, y]) * 2, [LOGITS, INSIDE], {}),
    (lambda x, y: tg.stack([x, y], -1), [LOGITS, INSIDE], {}),
    (lambda x, y: tg.cat([tg.as_tensor(x).reshape(-1), tg.as_tensor(y).reshape(-1)]), [LOGITS, WEIGHTS], {}),
    (lambda x: tg.reshape(x, 9), [LOGITS], {}),
    (lambda x: tg.split(x, 2)[1], [LOGITS], {}),
    (lambda x: x + tg.Tensor(LOGITS), [WEIGHTS], {}),
    (lambda x: tg.Tensor(LOGITS) @ x, [WEIGHTS], {}),
    (lambda x: np.asarray(LOGITS) * tg.as_tensor(x), [WEIGHTS], {}),
    (lambda x: tg.full((2, 3), x), [WEIGHTS], {}),
]


def the_functions():
    """Function, float64 arguments and keywords: the table's smooth cases, then what the table doesn't have."""
    for case in CASES:
        # A row with running statistics asks its x for a dtype, which a list hasn't.
        if case.smooth and case.row.differentiable and case.inputs() and "mean" not in case.params:
            yield case.call, case.inputs(), {}
    yield from LOSSES


FUNCTIONS = list(the_functions())


@pytest.mark.seeds(250)
def test_a_tensor_in_any_guise_carries_its_gradient(seed):
    rng = np.random.default_rng(seed)
    # One case in four from the losses, which the table's many would drown.
    among = FUNCTIONS if seed % 4 else LOSSES
    function, arrays, keywords = among[rng.integers(len(among))]
    position = rng.choice([k for k, x in enumerate(arrays) if x.dtype.kind == "f"])
    # An empty list has lost its sizes.
    way = rng.choice(list(WAYS)) if arrays[position].size else "tensor"
    if arrays[position] is not SIGNS:  # which must be ±1 exactly
        assert_carried_or_refused(with_one(function, arrays, keywords, position, way), arrays[position], seed)


def assert_carried_or_refused(call, array, seed, must_carry=False):
    w = tg.Tensor(array.copy(), requires_grad=True)
    try:
        z = call(w)
    except tg.TensorgradError:
        assert not must_carry
        return False
    assert isinstance(z, tg.Tensor)
    assert z.requires_grad or z.dtype.kind != "f", "the gradient was lost in silence"
    if z.requires_grad:
        # Step and tolerance leave room for a float32 that the way of passing brings in.
        assert tg.gradcheck(call, [w], eps=1e-5, atol=1e-5, rtol=1e-4, seed=seed)
    return True


def test_the_usual_ways_are_carried_not_refused():
    """Refusing everything would pass the test above."""
    for function, arrays, keywords in LOSSES[:-1]:
        for position, array in enumerate(arrays):
            if array is SIGNS:
                continue  # the labels must be ±1 exactly
            for way in ("tensor", "nested"):
                call = with_one(function, arrays, keywords, position, way)
                if (function, position) != (LOSSES[10][0], 1) or way == "tensor":
                    assert_carried_or_refused(call, array, 0, must_carry=True)


def with_one(function, arrays, keywords, position, way):
    numbers = arrays[position].copy()
    return lambda w: function(
        *[WAYS[way](w, numbers) if k == position else x for k, x in enumerate(arrays)], **keywords
    )


# --------------------------------------------------------------------------------------------------- scalar parameters

X = np.random.default_rng(1).uniform(0.5, 2.0, (4, 3))
IMAGE = np.random.default_rng(2).standard_normal((1, 2, 5, 5))
GIVEN = {
    "input": INSIDE,
    "other": X,
    "exponent": X,
    "target": INSIDE,
    "condition": X > 0,
    "tensors": [X, X],
    "weight": np.ones((2, 3)),
    "index": np.zeros((1, 3), int),
    "tensor": LABELS,
    "axis0": 0,
    "axis1": 1,
    "destination": 1,
    "dim": 0,
    "dim0": 0,
    "dim1": 1,
    "fill_value": 1.5,
    "size": (3,),
    "source": 0,
    "split_size_or_sections": 2,
    "kernel_size": 2,
    "output_size": 2,
    "widths": 1,
    "dtype": "float64",
    "value": 1.5,
    "start": 0.0,
    "end": 2.0,
    "steps": 3,
    "n": 3,
    "low": 0,
    "high": 3,
    "training": True,
    "running_mean": np.zeros(3),
    "running_var": np.ones(3),
}
SPECIAL = {
    "conv1d": {"input": IMAGE[0], "weight": np.ones((2, 2, 3))},
    "conv2d": {"input": IMAGE, "weight": np.ones((2, 2, 3, 3))},
    "batch_norm": {"weight": np.ones(3)},
    "nll_loss": {"target": LABELS, "weight": WEIGHTS},
    "cross_entropy": {"weight": WEIGHTS},
    "binary_cross_entropy": {"weight": WEIGHTS},
    "binary_cross_entropy_with_logits": {"weight": WEIGHTS},
    "soft_margin_loss": {"target": np.sign(LOGITS)},
    "clip": {"min": -0.5, "max": 0.5},
    "broadcast_to": {"size": (3, 3)},
    "layer_norm": {"normalized_shape": (3,), "weight": np.ones(3), "bias": np.zeros(3)},
    "rms_norm": {"normalized_shape": (3,), "weight": np.ones(3)},
    "quantile": {"input": X},  # of nine elements a quarter is a kink
    "nanquantile": {"input": X},
}
OTHERS = {"compile", "grad", "vjp", "vmap", "hvp", "jacobian", "hessian", "gradcheck", "load", "save", "load_metadata"}
OTHERS |= {"use_deterministic_algorithms"}
OTHERS |= {"equal"}  # a bool
OTHERS |= {"floor_divide"}  # flat wherever it is smooth, and says that no gradient flows
OTHERS |= {"heaviside"}  # flat in both, as in PyTorch
OTHERS |= {"allclose", "is_tensor", "tile"}  # bools, and one whose counts may be several arguments
OTHERS |= {
    "observe",
    "tensor",
    "no_grad",
    "enable_grad",
    "set_grad_enabled",
    "set_default_dtype",
    "manual_seed",
    "seeded",
    "from_dlpack",
    "from_numpy",
}


def public_functions():
    for module in (tg, nn):
        for name, function in sorted(vars(module).items()):
            ours = getattr(function, "__module__", "").startswith("tensorgrad")
            if ours and inspect.isfunction(function) and name not in OTHERS and not name.startswith("_"):
                parameters = inspect.signature(function).parameters
                if module is tg or "reduction" in parameters:
                    yield name, function, parameters


NO_NUMBERS = {"input", "dtype", "generator", "condition", "equation", "device"}
NO_NUMBERS |= {"inplace", "memory_format", "_stacklevel", "sparse_grad"}  # accepted, and without effect
VARIADIC = {"reshape": (3, 3), "expand": (2, 3, 3), "permute": (1, 0), "flip": (0, 1)}


def scalar_parameters():
    """Every parameter of a public function that isn't its first: most are numbers, sizes or words."""
    for public_name, function, parameters in public_functions():
        for name, parameter in list(parameters.items()):
            flag = isinstance(parameter.default, bool)
            several = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if not flag and not several and name not in NO_NUMBERS:
                yield pytest.param(function, name, id=f"{public_name}-{name}")


@pytest.mark.cases("function, name", list(scalar_parameters()))
def test_a_scalar_as_a_parameter_carries_its_gradient_or_is_refused(function, name):
    parameters = inspect.signature(function).parameters
    given = GIVEN | SPECIAL.get(function.__name__, {})
    if function.__name__.startswith(("max_pool", "avg_pool", "adaptive")):
        given["input"] = IMAGE[0] if "1d" in function.__name__ else IMAGE

    def call(w):
        arguments = {k: w if k == name else given.get(k, p.default) for k, p in parameters.items()}
        for k, p in parameters.items():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                del arguments[k]
        if function.__name__ in VARIADIC and name not in ("dims", "shape", "size"):
            return function(arguments.pop("input"), VARIADIC[function.__name__], **arguments)
        return function(**arguments)

    assert_carried_or_refused(call, np.array(0.25), 0)


# ------------------------------------------------------------------------------------------------------- NumPy's doors

SIDE_DOORS = {"save", "savez", "savez_compressed", "savetxt", "info", "test", "show_config", "show_runtime", "copyto"}
PROTOTYPES = {np.zeros_like, np.ones_like, np.empty_like, np.full_like}  # they take a shape, no values


UNIQUE = {np.linalg.slogdet: 1, np.linalg.svd: 1}
"""Of what a factorization returns, the part that is determined by the matrix."""

# These ask the tensor for what only an array has.
UNASKED = {np.isfortran: (AttributeError,), np.frombuffer: (AttributeError, TypeError), np.bmat: (AttributeError,)}


def numpy_functions():
    for module in (np, np.linalg, np.fft):
        for name in sorted(set(module.__all__) - SIDE_DOORS):
            function = getattr(module, name)
            if callable(function) and not inspect.isclass(function) and function not in PROTOTYPES:
                yield pytest.param(function, id=f"{module.__name__}.{name}")


def forms(function, a, b):
    """Ways to call it: with one argument, with two, or with a list of them."""
    yield lambda x, y: function(x), a, b
    yield lambda x, y: function(x, y), a, b
    yield lambda x, y: function(y, x), a, b
    yield lambda x, y: function([x, y]), a, b
    yield lambda x, y: function([x[0], 1.0]), a, b
    yield lambda x, y: function(2, x), a, b
    yield lambda x, y: function(x, 1), a, b
    yield lambda x, y: function(x @ y, y), a, b
    yield lambda x, y: function(x[0]), a, b
    yield lambda x, y: function(x[0], y[0]), a, b


@pytest.mark.filterwarnings("ignore")
@pytest.mark.cases("function", list(numpy_functions()))
def test_no_function_of_numpy_loses_a_gradient(function):
    """Where NumPy answers for arrays, the answer for a tensor carries the gradient, holds no floats, or is an error."""
    rng = np.random.default_rng(7)
    for call, a, b in forms(function, rng.uniform(0.2, 0.9, (3, 3)), rng.uniform(0.2, 0.9, (3, 3))):
        try:
            expected = call(a.copy(), b.copy())
        except Exception:
            continue  # it is no such call
        x = tg.Tensor(a, requires_grad=True)
        try:
            z = call(x, b.copy())
        except (tg.TensorgradError, *UNASKED.get(function, ())):
            continue
        if holds_floats(z) and depends(call, a, b):
            if isinstance(z, tuple) and all(isinstance(part, tg.Tensor) for part in z):  # a factorization
                assert any(part.requires_grad for part in z)
                if function not in UNIQUE:
                    continue  # its signs are open
                k = UNIQUE[function]
                call, z, expected = (lambda x, y, call=call, k=k: call(x, y)[k]), z[k], expected[k]
            if isinstance(z, list):  # the parts of a split
                assert all(isinstance(part, tg.Tensor) for part in z)
                call, z, expected = (lambda x, y, call=call: call(x, y)[0]), z[0], expected[0]
            assert isinstance(z, tg.Tensor), f"{type(z)} for a gradient"
            assert z.requires_grad or function is np.floor_divide
            np.testing.assert_allclose(z.data, expected, rtol=1e-12)
            if z.requires_grad and np.isfinite(expected).all() and function is not np.linalg.eigvalsh:
                # (`eigvalsh` reads one triangle; its gradient is that of the whole symmetric matrix.)
                tg.gradcheck(call, [x, tg.Tensor(b)])


def depends(call, a, b):
    """Whether the result is a function of the first array: some options are read as flags."""
    with np.errstate(all="ignore"):
        return not np.array_equal(call(a.copy(), b.copy()), call(a * 0.9, b.copy()), equal_nan=True)


def holds_floats(z):
    if isinstance(z, (list, tuple)):
        return any(map(holds_floats, z))
    if isinstance(z, type):
        return False
    return isinstance(z, float) or getattr(z, "dtype", np.dtype(int)).kind in "fcO"


DOORS = {
    "array": np.array,
    "asarray": np.asarray,
    "asarray of scalars": lambda t: np.asarray([t[0], t[1]]),
    "array with dtype": lambda t: np.array([t, t], dtype=float),
    "r_": lambda t: np.r_[t, t],
    "c_": lambda t: np.c_[t, t],
    "mean of a list": lambda t: np.mean([t, t]),
    "full": lambda t: np.full(2, t),
    "full of a scalar": lambda t: np.full(2, t[0]),
    "frombuffer": lambda t: memoryview(np.asarray(t)),
    "choice": lambda t: np.random.default_rng(0).choice(2, p=t),
    "assignment of a slice": lambda t: np.zeros(2).__setitem__(slice(None), t),
    "out": lambda t: np.add(np.zeros(2), t, out=np.zeros(2)),
    "in place": lambda t: np.zeros(2).__iadd__(t),
    "at": lambda t: np.add.at(np.zeros(2), [0, 1], t),
    "copyto": lambda t: np.copyto(np.zeros(2), t),
    "put": lambda t: np.put(np.zeros(2), [0, 1], t),
    "fill_diagonal": lambda t: np.fill_diagonal(np.zeros((2, 2)), t),
}


@pytest.mark.parametrize("door", DOORS)
def test_arrays_take_no_tensor_that_a_gradient_flows_to(door):
    t = tg.tensor([0.25, 0.75], requires_grad=True)
    for x in (t, t * 1):
        with pytest.raises(tg.GraphError, match=r"(?s)t\.detach\(\).*t\.numpy|t\.numpy.*t\.detach\(\)"):
            DOORS[door](x)
        DOORS[door](x.detach())
        with tg.no_grad():
            DOORS[door](x)


def test_a_scalar_assigned_to_an_array_is_refused_and_a_number_is_not():
    """NumPy hides our error behind its own, "setting an array element with a sequence", and names it as the cause."""
    a, t = np.zeros(2), tg.tensor(2.0, requires_grad=True)
    with pytest.raises(ValueError) as caught:
        a[0] = t
    assert isinstance(caught.value.__cause__, tg.GraphError)
    assert "t.detach()" in str(caught.value.__cause__)
    a[0] = float(t)
    a[1] = t.detach()
    assert a.tolist() == [2, 2]


def test_writes_that_are_refused_change_nothing():
    t = tg.tensor([1.0, 2.0], requires_grad=True)
    for write in (lambda a: np.copyto(a, t), lambda a: np.add(a, t, out=a), lambda a: np.add.at(a, [0, 1], t)):
        a = np.zeros(2)
        with pytest.raises(tg.GraphError):
            write(a)
        assert a.tolist() == [0, 0]


def test_numpy_writes_into_no_tensor_unseen():
    """Backward would go on with values that no longer are what was computed with."""
    for write in (
        lambda t: np.copyto(t, 0),
        lambda t: np.put(t, [0], 0),
        lambda t: np.fill_diagonal(t, 0),
        lambda t: np.multiply.at(t, [0], 2.0),
        lambda t: np.nextafter(1.0, 2.0, out=t),
        lambda t: np.sum([1.0], out=t),
    ):
        t = tg.ones(2, 2)
        with pytest.raises(tg.GraphError):
            write(t)
        assert t.tolist() == [[1, 1], [1, 1]]


def test_what_asks_no_values_is_answered_for_tensors_that_require_gradients():
    t = tg.tensor([[2.0, 1.0], [4.0, 3.0]], requires_grad=True)
    for function in (
        np.isinf,
        np.signbit,
        np.argsort,
        np.nonzero,
        np.count_nonzero,
        np.argwhere,
        np.array_repr,
        np.shape,
    ):
        expected = function(t.detach().numpy() if function is not np.array_repr else t.detach())
        np.testing.assert_array_equal(function(t), expected)
    for function in (np.zeros_like, np.ones_like, np.empty_like, lambda t: np.full_like(t, 2.0)):
        assert (function(t).shape, function(t).dtype, function(t).requires_grad) == ((2, 2), np.float32, False)
    assert np.searchsorted([0.0, 1.5], t[0]).tolist() == [2, 1]


# ----------------------------------------------------------------------------------------------------- leaves, warnings


@pytest.mark.parametrize("make", [tg.tensor, tg.Tensor, nn.Parameter])
def test_a_new_leaf_of_what_has_a_history_warns(make):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    for data, words in ((w * 1, r"t\.clone\(\)"), ([w[0], w[1]], r"tg\.stack"), ([[w[0], 1.0]], r"tg\.stack")):
        with pytest.warns(UserWarning, match=words) as caught:
            z = make(data)
        assert [warning.filename for warning in caught] == [__file__]
        assert z.is_leaf
        with tg.no_grad():
            np.testing.assert_array_equal(z.data, np.asarray(data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(w.detach()), make([1.0, 2.0]), make([w[0].detach(), 1.0])
        with tg.no_grad():
            make(w * 1), make([w[0], w[1]])


def test_the_gradient_of_an_interior_tensor_is_asked_for_once_per_warning():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2
    h.sum().backward()
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"retain_grad\(\)") as caught:
            assert h.grad is None
        assert len(caught) == 1 and caught[0].filename == __file__
    kept = w * 3
    kept.retain_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kept.grad is None and w.detach().grad is None and tg.zeros(2, requires_grad=True).grad is None
        kept.sum().backward()
        assert kept.grad.tolist() == [1, 1] and w.grad.tolist() == [5, 5]


# ---------------------------------------------------------------------------------------------------------------- modes


def test_the_mode_of_a_decorated_generator_is_its_own():
    w = tg.ones(1, requires_grad=True)

    @tg.no_grad()
    def batches(count):
        received = []
        try:
            for k in range(count):
                received.append((yield (w * k).requires_grad, tg.is_grad_enabled()))
        except KeyError:
            yield "thrown", tg.is_grad_enabled()
        finally:
            received.append(tg.is_grad_enabled())
        return received

    assert inspect.isgeneratorfunction(batches) and batches.__name__ == "batches"
    steps = batches(3)
    assert next(steps) == (False, False) and tg.is_grad_enabled()
    with tg.no_grad():  # the caller's mode changes, and comes back
        assert steps.send("a") == (False, False) and not tg.is_grad_enabled()
    assert steps.throw(KeyError()) == ("thrown", False) and tg.is_grad_enabled()
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == ["a", False]
    closed = batches(3)
    next(closed)
    closed.close()
    assert tg.is_grad_enabled()
    assert list(tg.enable_grad()(batches)(1)) == [(False, False)]


def test_coroutines_are_stepped_and_async_generators_refused():
    @tg.no_grad()
    async def work(inner):
        before = tg.is_grad_enabled()
        return before, await inner, tg.is_grad_enabled()

    class Pause:
        def __await__(self):
            return (yield "paused")

    task = work(Pause())
    assert task.send(None) == "paused" and tg.is_grad_enabled()
    with pytest.raises(StopIteration) as end:
        task.send("went on")
    assert end.value.value == (False, "went on", False) and tg.is_grad_enabled()
    with pytest.raises(tg.DTypeError, match=r"with tg\.no_grad\(\)"):

        @tg.no_grad()
        async def steps():
            yield 1
