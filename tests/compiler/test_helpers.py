"""What stands outside of an op's forward: with the helpers it is replayed, and who forgets them is told."""

import contextlib
import functools
import io
import re
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd.engine import apply, constant, guard, host_call
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import wrap
from tensorgrad.distributed import functional, world as worlds

GUIDE = Path(__file__).parents[2] / "docs" / "adding-an-op.md"


class ScaleBy(Op):
    """z = x · factor; the factor is an array, but no input."""

    symbol, formula = "·", "z = x · factor"
    derivatives = ("∂z/∂x = factor",)

    def forward(self, x):
        return x * self.factor

    def backward_x(self, grad):
        return grad * wrap(self.factor)


def peak(x):
    return np.asarray(np.abs(x).max() + 1, x.dtype)


def is_large(x):
    return np.abs(x).max() > 100


def inputs(count):
    rng = np.random.default_rng(7)
    return [tg.Tensor(rng.standard_normal(5).astype(np.float32), requires_grad=True) for _ in range(count)]


def results(function, x, upstream):
    z = function(x)
    z.backward(upstream)
    found = z.detach().numpy().tobytes(), x.grad.numpy().tobytes()
    x.grad = None
    return found


def told(function, calls=12):
    """Why calls of a compiled function run as they are; its results are right all the same."""
    compiled, upstream = tg.compile(function), tg.tensor([0.5, -1.0, 2.0, 0.25, -3.0])
    with pytest.warns(RuntimeWarning, match="docs/adding-an-op.md"):
        for x in inputs(calls):
            assert results(compiled, x, upstream) == results(function, x, upstream)
    assert compiled.replays == 0
    (problem,) = compiled.problems
    return problem


# ------------------------------------------------------------------------------------------------------------ forgotten


def parameter_by_numpy(x):
    return apply(ScaleBy, x, factor=peak(x._data))


def tensor_by_numpy(x):
    return x * wrap(peak(x._data))


def branch_on_values(x):
    return x * 2.0 if x.sum().item() > 0 else x * 3.0


def argument_by_numpy(x):
    return x * wrap(host_call(peak, x._data * 2))


@pytest.mark.parametrize(
    ("function", "problem", "helper"),
    [
        (parameter_by_numpy, "scale_by's factor is an array that no op made", "engine.host_call"),
        (tensor_by_numpy, "a tensor that no op made (leaf_1) differs from call to call", "engine.host_call"),
        (branch_on_values, "item() of a tensor, which no op records", "engine.guard"),
        (argument_by_numpy, "an argument of peak is an array that no op made", "engine.host_call"),
    ],
)
def test_who_forgets_a_helper_is_told(function, problem, helper):
    reason = told(function)
    assert problem in reason and helper in reason


def test_a_host_call_must_return_arrays():
    compiled = tg.compile(lambda x: x * float(host_call(np.ndarray.max, x._data)))
    with pytest.warns(RuntimeWarning, match=r"host_call\(max\) returned float32; it must return an ndarray"):
        for x in inputs(4):
            assert compiled(x).tolist() == (x * float(x.detach().numpy().max())).tolist()
    assert compiled.replays == 0


# ------------------------------------------------------------------------------------------------------------- followed


def test_a_host_call_must_not_return_a_tuple_of_one():
    """A replay would pass the tuple on in place of the array."""
    compiled = tg.compile(lambda x: x * wrap(host_call(lambda array: (array.max(keepdims=True),), x._data)[0]))
    with pytest.warns(RuntimeWarning, match="returned a tuple of one; it must return an ndarray or a tuple of several"):
        for _ in range(4):
            assert (compiled(tg.tensor([1.0, 2.0])) == tg.tensor([2.0, 4.0])).all()


@pytest.mark.parametrize("takes_array", [False, True])
def test_a_host_call_is_made_once_in_each_call(takes_array):
    """While launches are captured, too: it may have a part in what other processes do."""
    made = []

    def count(array=None):
        number = float(np.sum(array)) if takes_array else 2.0
        made.append(number)
        return np.array([number], np.float32)

    compiled = tg.compile(lambda x: (x * 2 * wrap(host_call(count, *[x._data] * takes_array))).exp())
    for calls in range(1, 12):
        assert (compiled(tg.tensor([1.0, 1.0])) == tg.tensor([4.0, 4.0]).exp()).all()
        assert made == [2.0] * calls


DOUBLED = {"lambda": lambda array: array * 2, "partial": functools.partial(np.multiply, 2), "ufunc": np.square}


@pytest.mark.parametrize("name", DOUBLED)
def test_a_host_call_of_any_callable_is_compiled(name):
    """Whatever its name is, and if it has none."""
    function = DOUBLED[name]
    compiled, x = tg.compile(lambda x: tg.softmax(x.exp() * wrap(host_call(function, x._data)), 1)), tg.randn(4, 4)
    expected = tg.softmax(x.exp() * tg.tensor(function(x.numpy())), 1)
    for _ in range(8):
        np.testing.assert_array_equal(compiled(x).numpy(), expected.numpy())


def test_a_view_of_an_argument_isnt_captured():
    """Captured steps would write to the argument's memory while a later step still reads the view."""

    def layers(y):
        for _ in range(8):
            y = tg.layer_norm(tg.softmax(y * 3 + 1, 1) * 3, (64,))
        return y

    def reversed_rows(a):
        return a[::-1]

    def added(a, b):
        return np.ascontiguousarray(a) + b

    def function(x):
        y = tg.softmax(layers(x) * 2, 1)
        view = host_call(reversed_rows, y._data)
        w = layers(x + 1)
        w2 = layers(w * 2)
        return w, w2, layers(wrap(host_call(added, view, w2._data)) * 2)

    compiled, x = tg.compile(function), tg.randn(64, 64)
    for _ in range(8):
        for ours, plain in zip(compiled(x), function(x), strict=True):
            np.testing.assert_array_equal(ours.numpy(), plain.numpy())
    assert compiled.problems == []


@pytest.mark.parametrize("of_constant", [False, True])
@pytest.mark.parametrize("used", [False, True])
def test_an_op_that_isnt_repeatable_is_made_once_in_each_call(of_constant, used, monkeypatch):
    """Neither tried at a capture, nor folded, nor left out where nobody needs its result."""
    made = []

    # With the module's names around it, it counts as the library's own, which compiled functions don't look into.
    space = vars(worlds) | {"made": made}
    exec("def agree(self, *arguments): made.append(arguments)", space)
    monkeypatch.setattr(worlds.World, "agree", space["agree"])

    def function(x):
        y = x
        for _ in range(4):
            y = tg.softmax(y * 3 + 1, 1)
        z = functional.all_reduce(tg.ones(3, 3) if of_constant else y)
        return y * z if used else y * 2

    compiled = tg.compile(function)
    for calls in range(1, 10):
        compiled(tg.randn(3, 3))
        assert len(made) == calls
    assert compiled.problems == []


def test_an_error_that_isnt_repeatable_is_raised_without_another_run():
    class Left(tg.TensorgradError):
        repeatable = False

    made = []

    def raise_late(x):
        made.append(1)
        if len(made) > 6:
            raise Left("another process has left")
        return np.zeros(1, np.float32)

    compiled = tg.compile(lambda x: x * 2 + wrap(host_call(raise_late, x._data)))
    for _ in range(6):
        compiled(tg.ones(3))
    with pytest.raises(Left):
        compiled(tg.ones(3))
    assert len(made) == 7


def parameter_by_host_call(x):
    return apply(ScaleBy, x, factor=host_call(peak, x._data))


def tensor_by_host_call(x):
    return x * wrap(host_call(peak, x._data))


def branch_by_guard(x):
    return x * 3.0 if guard(is_large, x._data) else x * 2.0


def made_by_constant(x):
    return x * constant(np.arange(x.shape[0], dtype=x.dtype))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "function",
    [parameter_by_host_call, tensor_by_host_call, branch_by_guard, made_by_constant],
    ids=lambda f: f.__name__,
)
def test_with_the_helper_it_is_replayed(function):
    compiled, upstream = tg.compile(function), tg.tensor([0.5, -1.0, 2.0, 0.25, -3.0])
    for x in inputs(6):
        assert results(compiled, x, upstream) == results(function, x, upstream)
    assert compiled.replays == 4 and not compiled.problems


def test_where_a_guard_turns_out_otherwise_the_function_itself_runs():
    compiled = tg.compile(branch_by_guard)
    for x in inputs(4):
        compiled(x)
    assert compiled(tg.ones(5) * 200.0).tolist() == [600.0] * 5
    assert compiled.replays == 2


# ------------------------------------------------------------------------------------------------------------ the guide


def examples():
    section = GUIDE.read_text(encoding="utf-8").partition("## Outside of `forward`")[2]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def test_the_guide_shows_each_helper():
    helpers = ("host_call", "guard", "constant")
    assert [[name for name in helpers if f"{name}(" in text] for text in examples()] == [[name] for name in helpers]


@pytest.mark.parametrize("text", examples(), ids=["host_call", "guard", "constant"])
def test_an_example_of_the_guide_prints_what_it_says(text):
    promised = re.findall(r"print\(.*\)  # (.*)", text)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "adding-an-op.md", "exec"), {"__name__": "guide"})
    assert promised and printed.getvalue().splitlines() == promised
