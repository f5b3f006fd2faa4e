"""autograd.Function: gradients, saved tensors, several outputs, second derivatives, errors, drawings."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd import Function, grad, gradcheck


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3.0 * x * x


class Exponential(Function):
    """Saves its output."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class Scaled(Function):
    """x · y · factor, with a value among the arguments, an attribute, and what is saved besides inputs."""

    calls = 0

    @staticmethod
    def forward(ctx, x, factor, y=None):
        product = x * y
        ctx.save_for_backward(x, y, product, None)
        ctx.factor = factor
        return product * factor

    @staticmethod
    def backward(ctx, g):
        Scaled.calls += 1
        x, y, product, missing = ctx.saved_tensors
        assert missing is None
        assert np.array_equal(product.data, x.data * y.data)
        dx = g * y * ctx.factor if ctx.needs_input_grad[0] else None
        return dx, None, g * x * ctx.factor if ctx.needs_input_grad[2] else None


class SineAndCosine(Function):
    """Two outputs with a gradient of different shapes, and an integer one."""

    @staticmethod
    def forward(ctx, x):
        sine, total, places = x.sin(), x.cos().sum(), tg.tensor([1, 2])
        ctx.save_for_backward(x, sine)
        return sine, total, places

    @staticmethod
    def backward(ctx, g, h, _):
        x, sine = ctx.saved_tensors
        return g * x.cos() - h * sine


def leaf(*shape, seed=0):
    return tg.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def test_gradients_of_one_output():
    x = leaf(3)
    z = Cube.apply(x)
    z.sum().backward()
    np.testing.assert_allclose(x.grad.data, 3 * x.data**2)
    assert z.grad_fn is not None if hasattr(z, "grad_fn") else True
    assert gradcheck(Cube.apply, leaf(2, 3))
    assert gradcheck(Exponential.apply, leaf(2, 3))
    assert gradcheck(lambda x, y: Scaled.apply(x, 2.5, y), [leaf(2, 3), leaf(2, 3, seed=1)])


@pytest.mark.parametrize("function", [Cube, Exponential])
def test_second_and_third_derivatives(function):
    def first(x):
        return grad(function.apply(x), x, np.ones(3), create_graph=True)[0]

    def second(x):
        return grad(first(x), x, np.ones(3), create_graph=True)[0]

    assert gradcheck(first, leaf(3))
    assert gradcheck(second, leaf(3))


def test_several_outputs():
    def loss(x):
        sine, total, places = SineAndCosine.apply(x)
        assert not places.requires_grad
        return (sine * np.arange(6.0).reshape(2, 3)).sum() + total * total

    assert gradcheck(loss, leaf(2, 3))
    assert gradcheck(lambda x: grad(loss(x), x, create_graph=True)[0], leaf(2, 3))
    sine, total, places = SineAndCosine.apply(leaf(2, 3))
    assert (sine.shape, total.shape, places.tolist()) == ((2, 3), (), [1, 2])
    x = leaf(2, 3)
    SineAndCosine.apply(x)[1].backward()  # the other output is unused
    np.testing.assert_allclose(x.grad.data, -np.sin(x.data))


def test_backward_runs_once_for_all_inputs_and_only_for_needed_ones():
    x, y = leaf(3), leaf(3, seed=1)
    before = Scaled.calls
    Scaled.apply(x, 2.0, y).sum().backward()
    assert Scaled.calls == before + 1
    np.testing.assert_allclose(x.grad.data, 2 * y.data)
    np.testing.assert_allclose(y.grad.data, 2 * x.data)
    constant = y.detach()
    x.grad = None
    Scaled.apply(x, 2.0, constant).sum().backward()
    np.testing.assert_allclose(x.grad.data, 2 * y.data)


def test_nothing_is_recorded_without_need():
    assert not Cube.apply(tg.tensor([1.0])).requires_grad
    with tg.no_grad():
        assert not Cube.apply(leaf(3)).requires_grad


def test_a_saved_input_that_is_changed_in_place_is_noticed():
    x = leaf(3)
    y = x * 1.0
    z = Cube.apply(y)
    with tg.no_grad():
        y += 1.0
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.sum().backward()


class Marked(Function):
    @staticmethod
    def forward(ctx, x):
        first, second = x * 2.0, x * 3.0
        ctx.mark_non_differentiable(second)
        return first, second

    @staticmethod
    def backward(ctx, g, h):
        assert not h.data.any()
        return g * 2.0


def test_outputs_marked_as_constant():
    x = leaf(3)
    first, second = Marked.apply(x)
    assert (first.requires_grad, second.requires_grad) == (True, False)
    np.testing.assert_allclose(grad(first.sum(), x)[0].data, 2.0)


def variant(returned=None, forward=None, context=None):
    class Variant(Function):
        @staticmethod
        def forward(ctx, x, flag):
            if context:
                context(ctx, x)
            return forward(x) if forward else x * 2.0

        @staticmethod
        def backward(ctx, g):
            return returned(g)

    return Variant


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (variant(lambda g: g), tg.GraphError, "one gradient per argument of forward, 2, got 1"),
        (variant(lambda g: (1.0, None)), tg.DTypeError, "got float for argument 0"),
        (variant(lambda g: (g, g)), tg.GraphError, "argument 1, which isn't a tensor"),
        (variant(lambda g: (tg.zeros(5), None)), tg.ShapeError, "doesn't fit its input"),
        (variant(forward=lambda x: 3), tg.DTypeError, "forward must return tensors, got int"),
        (variant(context=lambda ctx, x: ctx.save_for_backward(1)), tg.DTypeError, "only tensors can be saved"),
        (variant(context=lambda ctx, x: ctx.mark_dirty(x)), tg.GraphError, "must not change its inputs"),
    ],
)
def test_mistakes_are_named(function, error, words):
    with pytest.raises(error, match=words):
        function.apply(tg.ones(3, requires_grad=True), True).sum().backward()


def test_calls_that_make_no_sense():
    with pytest.raises(tg.ArgumentError, match="one argument must be a tensor"):
        Cube.apply(3.0)
    with pytest.raises(tg.ArgumentError, match="call apply of a subclass"):
        Function.apply(tg.ones(2))


def test_forward_that_returns_its_input_gives_a_copy():
    same = variant(lambda g: (g * 5.0, None), forward=lambda x: x)
    x = leaf(3)
    z = same.apply(x, None)
    assert not np.shares_memory(z.data, x.data)
    np.testing.assert_allclose(grad(z.sum(), x)[0].data, 5.0)


def test_drawings_show_the_name_of_the_class():
    x = tg.tensor([1.0, 2.0], requires_grad=True, dtype="float64")
    x.name = "x"
    loss = Cube.apply(x).sum()
    assert "Cube" in tg.viz.text(loss)
    assert "Cube" in tg.viz.graph(loss, check=True).dot
    found = tg.viz.explain(loss, wrt=x, index=0)
    assert found.gradient == 3.0
    assert found.difference == pytest.approx(3.0, rel=1e-5)


def test_a_compiled_function_runs_it_and_says_why_it_is_not_replayed():
    compiled = tg.compile(lambda x: Cube.apply(x) * 2.0)
    with pytest.warns(RuntimeWarning, match="the Function Cube"):
        for k in range(6):
            x = tg.tensor([float(k), 1.0], requires_grad=True)
            z = compiled(x)
            z.sum().backward()
            np.testing.assert_allclose(z.data, 2 * x.data**3)
            np.testing.assert_allclose(x.grad.data, 6 * x.data**2)
    assert compiled.replays == 0


@pytest.mark.oracle
def test_as_in_pytorch():
    torch = pytest.importorskip("torch")

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            sine, total = x.sin(), x.cos().sum()
            ctx.save_for_backward(x, sine)
            return sine, total, torch.tensor([1, 2])

        @staticmethod
        def backward(ctx, g, h, _):
            x, sine = ctx.saved_tensors
            return g * x.cos() - h * sine

    x = leaf(2, 3)
    t = torch.tensor(x.data, requires_grad=True)
    for function, y in ((SineAndCosine, x), (Both, t)):
        sine, total, _ = function.apply(y)
        (sine * sine * total).sum().backward()
    np.testing.assert_allclose(x.grad.data, t.grad.numpy(), rtol=1e-12)


def test_a_trace_of_a_function_is_explained_after_its_graph_was_freed():
    class Scaled(tg.autograd.Function):
        @staticmethod
        def forward(ctx, factor, x):
            ctx.factor = factor
            return x * factor

        @staticmethod
        def backward(ctx, grad):
            return None, grad * ctx.factor

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with tg.viz.trace() as step:
        Scaled.apply(3.0, x).sum().backward()
    found = tg.viz.explain(step, wrt=x, index=1)
    assert found.path_sum == 3.0 and found.difference == pytest.approx(3.0, rel=1e-6)
