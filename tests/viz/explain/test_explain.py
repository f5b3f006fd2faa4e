"""Explanations: paths, their sum, an element's terms, and the checks, against the engine and against brute force."""

import math
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.viz.explain.computation import computation
from tensorgrad.viz.explain.paths import column, count, gradients_along, products, shortest
from tensorgrad.viz.explain.replay import Replay
from tensorgrad.viz.format import theme


def leaf(rng, *shape, dtype=np.float64, name=None):
    return tg.Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True, name=name)


def weighted(z, rng):
    """A scalar whose gradient for z is random."""
    return (z * rng.standard_normal(z.shape)).sum()


def gradient_of(loss, wrt):
    (found,) = tg.grad(loss, [wrt], retain_graph=True)
    return found.numpy()


# ---------------------------------------------------------------------------------------------------------------- paths


STEPS = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: (x - 2 * y).tanh(), lambda x, y: x.sin() * y]


def random_graph(seed):
    """Scalars put together at random, with many ways from the first to the last."""
    rng = np.random.default_rng(seed)
    tensors = [tg.Tensor(np.float64(rng.uniform(0.5, 1.5)), requires_grad=True) for _ in range(3)]
    w = tensors[0]
    for _ in range(9):
        x, y = (tensors[k] for k in rng.integers(max(0, len(tensors) - 5), len(tensors), 2))
        tensors.append(STEPS[rng.integers(4)](x, y))
    return w, sum(tensors[3:], w)


def every_path(node, end):
    """Brute force: all ways from a node down to a leaf, as tuples of (age, position) from the loss on."""
    for position, edge in enumerate(node.edges):
        here = (node.age, position)
        if edge is end:
            yield (here,)
        elif hasattr(edge, "edges"):
            yield from ((here, *rest) for rest in every_path(edge, end))


@pytest.mark.parametrize("seed", range(12))
def test_paths_are_those_that_brute_force_finds_and_their_products_sum_to_the_gradient(seed):
    w, loss = random_graph(seed)
    brute = list(every_path(loss._node, w))
    here = computation(loss, {}, {}, 1000)
    key = here.key_of(w)
    paths = list(shortest(here, key))
    assert count(here, key) == len(paths) == len(brute)
    assert {tuple((link.node.age, link.position) for link in reversed(path)) for path in paths} == set(brute)
    lengths = [len(path) for path in paths]
    assert lengths == sorted(lengths)
    found = dict(products(paths))
    assert sorted(found) == list(range(len(paths)))
    np.testing.assert_allclose([found[k] for k in found], [gradients_along(paths[k])[-1] for k in found], rtol=1e-12)
    np.testing.assert_allclose(sum(found.values()), gradient_of(loss, w), rtol=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_a_path_is_the_product_of_finite_differences_of_its_ops(seed):
    w, loss = random_graph(seed)
    here = computation(loss, {}, {}, 1000)
    path = max(shortest(here, here.key_of(w)), key=len)
    values = Replay(here.steps, here.known).values
    product = 1.0
    for step, position in path:
        inputs = [np.float64(values[key]) for key in step.inputs]
        ends = []
        for h in (1e-6, -1e-6):
            moved = list(inputs)
            moved[position] = inputs[position] + h
            ends.append(float(step.op.forward_again(*moved)))
        product *= (ends[0] - ends[1]) / 2e-6
    assert gradients_along(path)[-1] == pytest.approx(product, rel=1e-5, abs=1e-8)


def test_the_explanation_of_an_array_sums_over_all_paths_under_a_random_gradient():
    rng = np.random.default_rng(1)
    w, v = leaf(rng, 3, 4), leaf(rng, 4)
    u = (w * v).tanh()
    loss = weighted(u @ u.T + (w + u).sum(axis=1), rng)
    found = tg.viz.explain(loss, wrt=w)
    assert found.count == 4  # u twice into the product and once into the sum, and w beside it
    assert found.gradient == pytest.approx(gradient_of(loss, w), rel=1e-12)
    assert found.path_sum == pytest.approx(found.gradient, rel=1e-12)
    assert found.difference == pytest.approx(found.expected, rel=1e-7)
    loss.backward()
    assert found.gradient == pytest.approx(w.grad.numpy(), rel=1e-12)


def test_paths_through_thirty_skips_are_counted_and_not_listed():
    x = tg.Tensor(np.float64(0.3), requires_grad=True)
    h = x
    for _ in range(30):
        h = h + h.sin() * 0.1
    found = tg.viz.explain(h, wrt=x, max_paths=3)
    assert found.count == 2**30
    assert [len(path.ops) for path in found.paths] == [30, 32, 32]
    assert found.path_sum is None
    assert found.gradient == pytest.approx(found.difference, rel=1e-7)
    assert "the sum has the other 1,073,741,821 too" in found.text(200)
    rest = found.gradient - sum(path.contribution for path in found.paths)
    assert theme.number(rest) in found.text(200)


def test_the_largest_paths_are_listed():
    x = tg.Tensor(np.float64(1.0), requires_grad=True)
    loss = x * 1.0 + x * -5.0 + x * 3.0 + x * 2.0
    found = tg.viz.explain(loss, wrt=x, max_paths=2)
    assert [path.contribution for path in found.paths] == [-5.0, 3.0]
    assert (found.count, found.path_sum, found.gradient) == (4, 1.0, 1.0)
    assert "∂L/∂x = −5 + 3 + 3" in found.text(80)  # the last term: 1 + 2, of the other two


# ---------------------------------------------------------------------------------------------------------- one element


def checked(loss, wrt, index):
    """The explanation of an element, whose terms sum to its gradient, which the central difference has too."""
    found = tg.viz.explain(loss, wrt=wrt, index=index)
    gradient = gradient_of(loss, wrt)[index]
    assert found.gradient == pytest.approx(gradient, rel=1e-12)
    summed = math.fsum(term.value for terms in found.terms for term in terms)
    assert summed == pytest.approx(gradient, rel=1e-9, abs=1e-12)
    assert found.path_sum == pytest.approx(gradient, rel=1e-9, abs=1e-12)
    assert found.difference == pytest.approx(gradient, rel=1e-6, abs=1e-8)
    assert "✗" not in found.text(100)
    return found


def value_at(label, **arrays):
    """What an explanation says an element met: `x[0,2]`, read from the arrays."""
    if label == "0 (padding)":
        return 0.0
    name, _, index = label.rstrip("]").partition("[")
    return float(arrays[name][tuple(map(int, index.split(",")))])


CONVOLUTIONS = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (2, 3), "padding": (2, 1), "dilation": (1, 2)},
    {"dilation": 2, "padding": 2, "groups": 2},
    {"stride": 3, "groups": 4},
    {"padding": "same"},
]


@pytest.mark.parametrize("motion", CONVOLUTIONS, ids=str)
def test_a_filters_weight_sums_the_pixels_it_met(motion):
    rng = np.random.default_rng(2)
    groups = motion.get("groups", 1)
    x, w, b = leaf(rng, 2, 4, 7, 8, name="x"), leaf(rng, 8, 4 // groups, 3, 2), leaf(rng, 8)
    z = tg.conv2d(x, w, b, **motion)
    loss = weighted(z, rng)
    for index in ((5, 0, 2, 1), (2, 4 // groups - 1, 0, 0), (7, 0, 1, 0)):
        found = checked(loss, w, index)
        (terms,) = found.terms
        assert len(terms) == z.shape[0] * z.shape[2] * z.shape[3]
        for term in terms:
            assert term.place[1] == index[0]
            assert value_at(term.met, x=x.numpy()) == pytest.approx(term.local, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("motion", CONVOLUTIONS, ids=str)
def test_a_pixel_sums_the_weights_it_met(motion):
    rng = np.random.default_rng(3)
    groups = motion.get("groups", 1)
    x, w = leaf(rng, 2, 4, 7, 8), leaf(rng, 8, 4 // groups, 3, 2, name="w")
    loss = weighted(tg.conv2d(x, w, **motion), rng)
    for index in ((1, 3, 2, 4), (0, 0, 0, 0), (1, 1, 6, 7), (0, 2, 3, 3)):
        found = checked(loss, x, index)
        (terms,) = found.terms
        assert len(terms) == np.count_nonzero(column(next(iter(_links(loss, x))), index))
        for term in terms:
            assert value_at(term.met, w=w.numpy()) == pytest.approx(term.local, rel=1e-12)


def _links(loss, x):
    here = computation(loss, {}, {}, 1000)
    return here.users[here.key_of(x)]


def test_a_convolutions_bias_sums_the_gradients_of_its_map():
    rng = np.random.default_rng(4)
    x, w, b = leaf(rng, 2, 3, 5, 5), leaf(rng, 4, 3, 2, 2), leaf(rng, 4)
    found = checked(weighted(tg.conv2d(x, w, b), rng), b, (2,))
    assert [(len(terms), {term.local for term in terms}) for terms in found.terms] == [(2 * 4 * 4, {1.0})]


def test_a_signals_convolution_is_explained_like_an_images():
    rng = np.random.default_rng(5)
    x, w = leaf(rng, 2, 3, 9, name="x"), leaf(rng, 4, 3, 3, name="w")
    loss = weighted(tg.conv1d(x, w, stride=2, padding=2, dilation=2), rng)
    for term in checked(loss, w, (1, 2, 0)).terms[0]:
        assert value_at(term.met, x=x.numpy()) == pytest.approx(term.local, rel=1e-12, abs=1e-15)
    for term in checked(loss, x, (1, 2, 4)).terms[0]:
        assert value_at(term.met, w=w.numpy()) == pytest.approx(term.local, rel=1e-12)


@pytest.mark.parametrize(
    "windows",
    [{"kernel_size": 2}, {"kernel_size": 3, "stride": 1}, {"kernel_size": (3, 2), "stride": 2, "padding": 1}],
    ids=str,
)
@pytest.mark.parametrize("pool", [tg.max_pool2d, tg.avg_pool2d], ids=lambda pool: pool.__name__)
def test_a_pixel_gets_the_gradients_of_the_windows_that_hold_it(pool, windows):
    rng = np.random.default_rng(6)
    x = leaf(rng, 2, 3, 6, 7)
    loss = weighted(pool(x, **windows), rng)
    for index in ((1, 2, 3, 3), (0, 0, 0, 0), (1, 0, 2, 4)):
        (terms,) = checked(loss, x, index).terms
        kernel = np.broadcast_to(windows["kernel_size"], 2)
        stride = np.broadcast_to(windows.get("stride", kernel), 2)
        padding = windows.get("padding", 0)
        holding = []
        for p, q in np.ndindex(*pool(x, **windows).shape[2:]):
            top, left = p * stride[0] - padding, q * stride[1] - padding
            if top <= index[2] < top + kernel[0] and left <= index[3] < left + kernel[1]:
                holding.append((*index[:2], p, q))
        assert [term.place for term in terms] == holding
        if pool is tg.max_pool2d:
            z = pool(x, **windows).numpy()
            assert [term.local for term in terms] == [float(z[place] == x.numpy()[index]) for place in holding]


def test_a_dilated_max_pooling_knows_its_windows():
    rng = np.random.default_rng(7)
    x = leaf(rng, 1, 1, 8, 8)
    loss = weighted(tg.max_pool2d(x, 2, stride=1, dilation=3), rng)
    assert len(checked(loss, x, (0, 0, 4, 4)).terms[0]) == 4


def test_a_layers_weight_sums_over_the_batch():
    rng = np.random.default_rng(8)
    x, w, b = leaf(rng, 5, 3, name="x"), leaf(rng, 4, 3, name="w"), leaf(rng, 4)
    loss = weighted(tg.linear(x, w, b).tanh(), rng)
    (terms,) = checked(loss, w, (2, 1)).terms
    assert [(term.place, term.met) for term in terms] == [((n, 2), f"x[{n},1]") for n in range(5)]
    np.testing.assert_array_equal([term.local for term in terms], x.numpy()[:, 1])
    (terms,) = checked(loss, x, (4, 0)).terms
    assert [(term.place, term.met) for term in terms] == [((4, k), f"w[{k},0]") for k in range(4)]
    assert len(checked(loss, b, (3,)).terms[0]) == 5


@pytest.mark.parametrize("shapes", [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((6, 1, 3, 4), (2, 4, 5))], ids=str)
def test_a_matrix_product_names_what_was_met_batches_and_all(shapes):
    rng = np.random.default_rng(9)
    x, y = (leaf(rng, *shape, name=name) for name, shape in zip("xy", shapes, strict=True))
    loss = weighted((x @ y).sigmoid(), rng)
    for term in checked(loss, x, tuple(n - 1 for n in x.shape)).terms[0]:
        assert value_at(term.met, y=y.numpy()) == pytest.approx(term.local, rel=1e-12)
    for term in checked(loss, y, (0,) * y.ndim).terms[0]:
        assert value_at(term.met, x=x.numpy()) == pytest.approx(term.local, rel=1e-12)


def test_other_ops_have_their_column_of_the_jacobian():
    rng = np.random.default_rng(10)
    for op in (
        lambda t: t.softmax(axis=1),
        lambda t: t.cumsum(axis=1),
        lambda t: t[[0, 2, 0]],
        lambda t: t.amax(axis=0),
    ):
        x = leaf(rng, 3, 4)
        checked(weighted(op(x), rng), x, (0, 1))


def test_an_element_that_goes_into_several_ops():
    rng = np.random.default_rng(11)
    x, b = leaf(rng, 4, 3), leaf(rng, 3)
    found = checked(weighted((x + b).tanh() * b, rng), b, (1,))
    assert [len(terms) for terms in found.terms] == [4, 4]
    assert found.count == 2


# ------------------------------------------------------------------------------------------------ what can be explained


def two_layers(rng, dtype=np.float32):
    x, y = (rng.standard_normal(shape).astype(dtype) for shape in ((4, 2), (4, 1)))
    w1, b1, w2, b2 = (leaf(rng, *shape, dtype=dtype) for shape in ((2, 3), (3,), (3, 1), (1,)))
    return w1, lambda: (((x @ w1 + b1).sigmoid() @ w2 + b2 - y) ** 2).mean()


def test_a_trace_whose_graph_was_freed_is_explained_like_a_live_loss():
    w1, loss_of = two_layers(np.random.default_rng(12))
    alive = tg.viz.explain(loss_of(), wrt=w1, index=(0, 1))
    with tg.viz.trace() as t:
        loss_of().backward()
    w1._data[...] = 0  # an optimizer has run since
    traced = tg.viz.explain(t, wrt=w1, index=(0, 1))
    for fact in ("count", "paths", "gradient", "terms"):
        assert getattr(traced, fact) == getattr(alive, fact)
    assert traced.gradient == w1.grad.numpy()[0, 1]
    assert "w1.grad" in str(traced.text(80))


def test_a_trace_is_explained_with_the_names_of_its_drawing():
    w = tg.tensor([0.5, -1.5], requires_grad=True, name="w")
    with tg.viz.trace() as t:
        h = w * 2.0
        for _ in range(2):
            h = (h * w).tanh()
        mean, spread = h.mean(), (h * h).sum()
        (mean * spread).backward()
    drawn = [op.applied for op in t.record().ops]
    text = tg.viz.explain(t, wrt=w).text(100)
    named = [line for line in drawn if not line.startswith(("u", "L"))]
    assert [line.partition(" ")[0] for line in named] == ["h", "h₂", "h₃", "mean", "spread"]
    computed = [" ".join(line.split()) for line in text.splitlines()]
    for line in ("h = w · 2", "h₂ = tanh", "mean = 1/2 Σ h₃", "spread = Σ", "∂L/∂mean = ∂L/∂L · spread"):
        assert any(found.startswith(line) for found in computed), line
    # Asked for in another order, they keep their names.
    assert "∂L/∂h₃" in tg.viz.explain(t, wrt=h).text(100)


def test_a_step_on_the_way_is_explained_too():
    rng = np.random.default_rng(13)
    w = leaf(rng, 3)
    h = (w * 2.0).tanh()
    loss = weighted(h * h, rng)
    assert tg.viz.explain(loss, wrt=h).count == 2
    checked(loss, h, (1,))


def test_a_cost_function_is_used_for_the_difference_and_leaves_the_parameter_as_it_was():
    w1, loss_of = two_layers(np.random.default_rng(14))
    before = w1.numpy().copy()
    found = tg.viz.explain(loss_of(), wrt=w1, index=(1, 2), cost=loss_of)
    assert found.difference == pytest.approx(found.gradient, rel=1e-2)
    np.testing.assert_array_equal(w1.numpy(), before)
    assert "that of cost()" in found.text(80)

    def broken():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        tg.viz.explain(loss_of(), wrt=w1, cost=broken)
    np.testing.assert_array_equal(w1.numpy(), before)


def test_a_wrong_gradient_is_said_to_differ():
    w1, loss_of = two_layers(np.random.default_rng(15))
    found = tg.viz.explain(loss_of(), wrt=w1, index=(1, 2), cost=lambda: loss_of() * 2)
    assert "✗ differs" in found.text(80)
    loss = loss_of()
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)  # .grad holds two gradients now
    text = tg.viz.explain(loss, wrt=w1).text(80)
    assert [line for line in text.splitlines() if "w1.grad" in line and "✗" in line]
    assert "zero_grad()" in text
    w1.grad = None
    loss.backward(retain_graph=True)
    assert "zero_grad()" not in tg.viz.explain(loss, wrt=w1).text(80)


def test_a_constant_that_no_graph_keeps_is_found_or_asked_for():
    x = tg.Tensor(np.float64([1.0, -2.0]), requires_grad=True)
    assert tg.viz.explain(((x - np.float64([3.0, 0.5])) ** 2).sum(), wrt=x).difference is not None
    found = tg.viz.explain((x + np.float64([3.0, 0.5])).relu().sum(), wrt=x)
    assert found.difference is None
    assert "pass cost=, or a trace" in found.text(200)
    with tg.viz.trace() as t:
        (x + np.float64([3.0, 0.5])).relu().sum()
    assert tg.viz.explain(t, wrt=x).difference is not None


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("join", [lambda x, c: x + c, lambda x, c: c + x, lambda x, c: x - c, lambda x, c: c - x])
def test_an_addend_follows_from_the_sum(join, shape):
    rng = np.random.default_rng(17)
    x, c = leaf(rng, 2, 3), rng.standard_normal(shape)
    found = tg.viz.explain((join(x, c) ** 3).sum(), wrt=x, index=(1, 2), names={})
    assert found.difference == pytest.approx(found.gradient, rel=1e-7)


def test_no_addend_follows_from_an_infinite_or_an_empty_sum():
    """∞ − ∞ isn't the 5 that was added, and a number that was added to no element leaves no trace."""
    x = tg.tensor([np.inf, 1.0], requires_grad=True)
    for y in (np.float64([5.0, 2.0]), 5.0):
        here = computation(((x + y) ** 2).sum(), {}, {}, 1000)
        assert not any(np.isnan(value).any() for value in Replay(here.steps, here.known).values.values())
    empty = tg.zeros(2, 0, requires_grad=True)
    assert "(2, 0)" in tg.viz.text(((empty + 5.0) ** 2).sum(), width=80)


def test_explaining_changes_nothing():
    w1, loss_of = two_layers(np.random.default_rng(16))
    loss = loss_of()
    first = tg.viz.explain(loss, wrt=w1, index=(0, 0)).text(100)
    assert w1.grad is None
    assert tg.viz.explain(loss, wrt=w1, index=(-2, -3)).text(100) == first
    loss.backward()
    np.testing.assert_array_equal(w1.grad.numpy(), gradient_of(loss_of(), w1))


def test_errors_say_what_to_do():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    with pytest.raises(tg.DTypeError, match="only a tensor or a trace"):
        tg.viz.explain(3.0, wrt=w)
    with pytest.raises(tg.DTypeError, match="wrt must be a tensor"):
        tg.viz.explain(loss, wrt="w")
    with pytest.raises(tg.ArgumentError, match=r"isn't a scalar(.|\n)*loss\.sum\(\)"):
        tg.viz.explain(w * w, wrt=w)
    with pytest.raises(tg.GraphError, match="no gradient flows"):
        tg.viz.explain(loss, wrt=tg.Tensor(1.0, requires_grad=True))
    with pytest.raises(tg.GraphError, match="the loss itself"):
        tg.viz.explain(loss, wrt=loss)
    with pytest.raises(tg.RangeError, match="index must be within"):
        tg.viz.explain(loss, wrt=w, index=2)
    with pytest.raises(tg.RangeError, match="index must have 1 integers, one per axis, got 2"):
        tg.viz.explain(loss, wrt=w, index=(0, 0))
    with pytest.raises(tg.DTypeError, match="index must be an integer per axis"):
        tg.viz.explain(loss, wrt=w, index=0.5)
    with pytest.raises(tg.ArgumentError, match="max_paths"):
        tg.viz.explain(loss, wrt=w, max_paths=0)
    with pytest.raises(tg.DTypeError, match="cost must be a function"):
        tg.viz.explain(loss, wrt=w, cost=1.0)
    with pytest.raises(tg.ArgumentError, match="width must be at least 20 columns"):
        tg.viz.explain(loss, wrt=w).text(3)
    loss.backward()
    with pytest.raises(tg.GraphError, match=r"has freed(.|\n)*retain_graph=True"):
        tg.viz.explain(loss, wrt=w)
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        (w * w).sum() + w @ tg.zeros(3)
    with pytest.raises(tg.GraphError, match="the traced computation failed"):
        tg.viz.explain(t, wrt=w)


def test_long_paths_are_shortened_in_the_middle():
    x = tg.Tensor(np.float64(0.3), requires_grad=True, name="x")
    h = x
    for _ in range(300):
        h = h + h.sin() * 0.001
    found = tg.viz.explain(h, wrt=x, max_paths=2)
    assert found.gradient == pytest.approx(found.difference, rel=1e-7)
    lines = found.text(100).splitlines()
    assert len(lines) < 150
    assert any("more" in line and "…" in line for line in lines)
    w = tg.Tensor(np.float64([1.0, 2.0]), requires_grad=True, name="w")
    y = w
    for _ in range(300):
        y = y * 1.001
    table = tg.viz.explain(y.sum(), wrt=w).text(100)
    assert "… 241 steps more" in table
    assert len(table.splitlines()) < 150


def test_latex_of_an_indexed_name_with_a_number_has_one_index_at_a_time():
    """e^u₁ⱼ was u_{1}_{j}, two indices of one letter, which LaTeX refuses; cross-entropy was a difference."""
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True, name="w")
    text = tg.viz.explain(tg.nn.cross_entropy(w.reshape(1, 3), tg.tensor([1])), wrt=w, index=(0,)).latex
    assert r"e^{{u_{1}}_{j}}" in text and r"\mathrm{cross-entropy}" in text
    assert not re.search(r"_\{[^{}]*\}_", text)


# ---------------------------------------------------------------------------------------------------------------- hooks


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("where", ["leaf", "between"])
def test_hooks_change_grad_and_not_the_derivative_and_are_named(traced, where):
    rng = np.random.default_rng(8)
    w, factor = leaf(rng, 3, name="w"), rng.uniform(2, 9)

    def run():
        h = w * 3.0
        (w if where == "leaf" else h).register_hook(lambda gradient: gradient * factor)
        loss = weighted(h * h, np.random.default_rng(9))
        loss.backward(retain_graph=True)
        return loss

    if traced:
        with tg.viz.trace() as step:
            run()
    loss = step if traced else run()
    right = 18 * w.numpy()[1] * np.random.default_rng(9).standard_normal(3)[1]
    told = tg.viz.explain(loss, wrt=w, index=1)
    assert [told.gradient, told.path_sum, told.difference, told.expected] == pytest.approx([right] * 4, rel=1e-6)
    assert w.grad.numpy()[1] == pytest.approx(factor * right, rel=1e-12)
    verdicts = re.findall(r"^  (sum|w.grad|central).* ([✓✗].*)$", told.text(width=100), re.M)
    assert [(way, verdict[0]) for way, verdict in verdicts] == [("sum", "✓"), ("w.grad", "✗"), ("central", "✓")]
    assert "rounding" not in dict(verdicts)["sum"]
    text = " ".join(told.text(width=100).split())
    name = "w" if where == "leaf" else "h" if traced else "u₁"
    assert f"A hook changes the gradient of {name}: .grad is what came of it" in text
    assert "zero_grad()" not in text


def test_the_hooks_are_still_there_after_an_explanation():
    w = leaf(np.random.default_rng(3), 2)
    h = w * 2.0
    h.register_hook(lambda gradient: gradient * 5)
    loss = h.sum()
    tg.viz.explain(loss, wrt=w)
    loss.backward()
    assert w.grad.tolist() == [10.0, 10.0]


# --------------------------------------------------------------------------------------------------- single ops, scale


def test_the_derivative_of_a_single_op_is_not_written_twice():
    w = tg.tensor(1.5, requires_grad=True, name="w")
    assert "  ∂L/∂w = 7\n\n" in tg.viz.explain(w * 7.0, wrt=w).text(width=80)
    assert "  ∂L/∂w = L\n        = 4.482\n" in tg.viz.explain(w.exp(), wrt=w).text(width=80)


@pytest.mark.filterwarnings("error")
def test_norms_of_large_gradients_are_numbers():
    w = tg.tensor([1e300, 2e300], dtype="float64", requires_grad=True, name="w")
    assert " 2.24·10³⁰⁰" in tg.viz.explain((w * w).sum(), wrt=w).text(width=80)
