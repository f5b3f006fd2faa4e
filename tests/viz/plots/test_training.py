"""Gradient flow, the cost along one weight, and runs side by side: the numbers drawn are those of the engine."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd.versions import version_of
from tensorgrad.nn.training.history import History
from tensorgrad.viz import GradientLog, compare, cost_curve, gradient_flow

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure


def drawn(ax):
    return {line.get_label(): np.array(line.get_data(), float) for line in ax.get_lines()}


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# -------------------------------------------------------------------------------------------------------- gradient flow


def trained(model, steps):
    log, means = GradientLog(model), []
    for k in range(steps):
        model.zero_grad()
        (model(tg.tensor(random(5, 3, seed=k).astype(np.float32))) ** 2).sum().backward()
        log.record()
        means.append([np.abs(p.grad.numpy()) for p in model.parameters()])
    return log, means


def test_each_layer_has_the_mean_over_its_weight_and_bias_at_each_step():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2, bias=False))
    log, grads = trained(model, 3)
    assert log.layers == ["0", "2"] and len(log) == 3
    lines = drawn(gradient_flow(log))
    for k, (w1, b1, w2) in enumerate(grads):
        assert lines["0"][1, k] == pytest.approx((w1.sum() + b1.sum()) / 16, rel=1e-6)
        assert lines["2"][1, k] == pytest.approx(w2.mean(), rel=1e-6)
    np.testing.assert_array_equal(lines["0"][0], [1, 2, 3])
    assert gradient_flow(log).get_yscale() == "log"


def test_the_title_compares_the_first_layer_with_the_last():
    first, last = (tg.tensor([1.0], requires_grad=True) for _ in range(2))
    log = GradientLog({"a": first, "b": last})
    (first * 1e-3 + last * 4.0).sum().backward()
    log.record()
    assert gradient_flow(log).get_title() == "gradient flow: the first layer's is 1/4,000 of the last's"
    log = GradientLog({"a": first, "b": last})
    (first * 2e-20 + last * 4.0).sum().backward()
    first.grad, last.grad = tg.tensor([2e-20]), tg.tensor([4.0])
    log.record()
    assert gradient_flow(log).get_title() == "gradient flow: the first layer's is 5·10⁻²¹ of the last's"


def test_layers_get_colours_in_their_order():
    from matplotlib.colors import to_rgb

    parameters = {f"layer{k}.weight": tg.tensor([1.0], requires_grad=True) for k in range(8)}
    log = GradientLog(parameters)
    sum(p.sum() for p in parameters.values()).backward()
    log.record()
    green = [to_rgb(line.get_color())[1] for line in gradient_flow(log).get_lines()]
    assert green == sorted(green) and len(set(green)) == 8


def test_dead_missing_and_exploded_layers_are_named():
    names = ["dead", "unused", "nan", "fine"]
    parameters = {name: tg.tensor([2.0], requires_grad=True) for name in names}
    log = GradientLog(parameters)
    (parameters["dead"] * 0.0 + parameters["nan"] * float("nan") + parameters["fine"]).sum().backward()
    log.record()
    log.record()
    ax = gradient_flow(log)
    assert list(drawn(ax)) == ["dead: dead, all zeros", "unused: no gradient", "nan: NaN or infinite", "fine"]
    assert np.isnan(drawn(ax)["dead: dead, all zeros"][1]).all()
    ax.figure.canvas.draw()


def test_a_first_layer_without_a_gradient_is_compared_with_nothing():
    frozen, w = tg.tensor([1.0]), tg.tensor([1.0], requires_grad=True)
    log = GradientLog({"frozen": frozen, "last": w})
    (frozen * w).sum().backward()
    log.record()
    assert log.means == {"frozen": [None], "last": [1.0]}
    assert gradient_flow(log).get_title() == "gradient flow"


def test_many_layers_have_a_colour_bar_instead_of_a_legend():
    parameters = {f"layer{k}.weight": tg.tensor([1.0], requires_grad=True) for k in range(40)}
    log = GradientLog(parameters)
    sum(p.sum() for p in parameters.values()).backward()
    log.record()
    ax = gradient_flow(log)
    assert ax.get_legend() is None and len(ax.figure.axes) == 2
    labels = [label.get_text() for label in ax.figure.axes[1].get_yticklabels()]
    assert labels[0] == "layer0" and labels[-1] == "layer39"


def test_a_log_without_gradients_is_refused():
    model = nn.Linear(2, 2)
    log = GradientLog(model)
    with pytest.raises(tg.GraphError, match=r"after loss.backward\(\)"):
        log.record()
    assert len(log) == 0
    with pytest.raises(tg.ArgumentError, match="log must have at least one record"):
        gradient_flow(log)
    with pytest.raises(tg.DTypeError, match="GradientLog"):
        gradient_flow({"a": [1.0]})
    for nothing in ({}, []):
        with pytest.raises(tg.ArgumentError, match="parameters must not be empty"):
            GradientLog(nothing)
    for wrong in (3, {"a": 3}, {"a": tg.tensor([1, 2])}, [np.ones(2)]):
        with pytest.raises(tg.DTypeError):
            GradientLog(wrong)
    w = tg.tensor([1.0])
    with pytest.raises(tg.ArgumentError, match="parameters must have different"):
        GradientLog([w, w])


@pytest.mark.parametrize("holder", ["module", "mapping", "tensors", "optimizer"])
def test_parameters_are_found_in_whatever_holds_them(holder):
    model = nn.Linear(2, 2)
    given = {
        "module": model,
        "mapping": dict(model.named_parameters()),
        "tensors": list(model.parameters()),
        "optimizer": nn.optim.SGD(model.parameters(), 0.1),
    }[holder]
    log = GradientLog(given)
    model(tg.ones(1, 2)).sum().backward()
    log.record()
    assert len(log.layers) == 2 and len(log) == 1


# ----------------------------------------------------------------------------------------------------------- cost curve


class Problem:
    """A cost of a small network in float64, with a weight to look along."""

    def __init__(self, dtype=np.float64):
        self.w = tg.tensor(random(3, 4).astype(dtype), requires_grad=True, name="w")
        self.v = tg.tensor(random(4, seed=1).astype(dtype), requires_grad=True, name="v")
        self.x = tg.tensor(random(6, 3, seed=2).astype(dtype))

    def cost(self):
        return (((self.x @ self.w).tanh() @ self.v - 1) ** 2).mean()

    def reference(self, value, index=(1, 2)):
        w = self.w.numpy().copy()
        w[index] = value
        return float(((np.tanh(self.x.numpy() @ w) @ self.v.numpy() - 1) ** 2).mean())


def test_the_curve_is_the_cost_with_that_one_weight_changed():
    p = Problem()
    ax = cost_curve(p.cost, p.w, (1, 2), low=-2, high=3, points=11)
    x, y = drawn(ax)["cost"]
    np.testing.assert_array_equal(x, np.linspace(-2, 3, 11))
    np.testing.assert_allclose(y, [p.reference(value) for value in x], rtol=1e-12)
    assert ax.get_xlabel() == "w[1, 2]"
    now = p.w.numpy()[1, 2]
    np.testing.assert_allclose(drawn(ax)[f"now, {now:.3g}".replace("-", "−")].ravel(), [now, p.reference(now)])


def test_tangents_have_the_slope_of_a_finite_difference_and_touch_the_curve():
    p = Problem()
    at = [-1.5, 0.2, 2.0]
    ax = cost_curve(p.cost, p.w, (1, 2), low=-2, high=3, tangents=at)
    lines = [line.get_data() for line in ax.get_lines() if len(line.get_xdata()) == 2]
    lengths = []
    for w, (x, y), text in zip(at, lines, ax.texts, strict=True):
        slope = (p.reference(w + 1e-6) - p.reference(w - 1e-6)) / 2e-6
        assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(slope, rel=1e-6)
        assert np.mean(x) == pytest.approx(w) and np.mean(y) == pytest.approx(p.reference(w))
        assert text.get_text() == f"slope {slope:.3g}".replace("-", "−")
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        lengths.append(np.hypot((x[1] - x[0]) / (right - left), (y[1] - y[0]) / (top - bottom)))
    np.testing.assert_allclose(lengths, lengths[0])


def test_descent_is_drawn_on_the_curve_step_by_step():
    p = Problem()
    walk = [2.5, 1.5, 1.0, 0.8]
    ax = cost_curve(p.cost, p.w, (1, 2), descent=walk)
    lines = drawn(ax)
    np.testing.assert_allclose(lines["gradient descent, 3 steps"], [walk, [p.reference(w) for w in walk]])
    assert lines["start"].ravel()[0] == 2.5 and lines["end"].ravel()[0] == 0.8
    arrows = [text for text in ax.texts if text.arrow_patch is not None]
    for k, arrow in enumerate(arrows):
        assert arrow.xyann == pytest.approx((walk[k], p.reference(walk[k])))
        assert arrow.xy == pytest.approx((walk[k + 1], p.reference(walk[k + 1])))
    assert len(arrows) == 3
    low, high = ax.get_xlim()
    assert low < p.w.numpy()[1, 2] and high > 2.5


def bits(array):
    return array.view(np.uint8).tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fails_after", [None, 0, 5, 101, 103])
def test_parameter_and_gradients_are_left_as_they_were_to_the_bit(dtype, fails_after):
    p = Problem(dtype)
    p.w.data[0, 0] = np.array([np.nan]).astype(dtype)[0]
    if dtype == np.float64:
        p.w.data[0, 0] = np.uint64(0x7FF8_0000_DEAD_BEEF).view(np.float64)
    p.w.data[0, 1] = -0.0
    p.w.data[1, 2] = np.nan if fails_after is None else 0.5
    p.cost().backward()
    grad, data, version = p.w.grad, p.w._data, version_of(p.w)
    before = [bits(a) for a in (p.w.data, p.w.grad.data, p.v.data, p.v.grad.data)]
    calls = []

    def cost():
        if len(calls) == fails_after:
            raise RuntimeError("out of coffee")
        calls.append(p.w.numpy()[1, 2])
        p.w.grad = None  # as a careless cost might
        return p.cost()

    if fails_after is None:
        cost_curve(cost, p.w, (1, 2), low=-1, high=1, tangents=[0.0], descent=[0.5, 0.1])
        assert len(calls) == 101 + 2 + 1 + 1
    else:
        with pytest.raises(RuntimeError, match="coffee"):
            cost_curve(cost, p.w, (1, 2), low=-1, high=1, tangents=[0.0], descent=[0.5, 0.1])
    assert [bits(a) for a in (p.w.data, p.w.grad.data, p.v.data, p.v.grad.data)] == before
    assert p.w.grad is grad and p.w._data is data and version_of(p.w) is version


def test_a_graph_recorded_before_can_still_be_walked_back():
    p = Problem()
    loss = p.cost()
    expected = tg.grad(p.cost(), p.w)[0].numpy()
    cost_curve(p.cost, p.w, (0, 0), tangents=[1.0])
    loss.backward()
    np.testing.assert_array_equal(p.w.grad.numpy(), expected)


def test_recording_is_off_but_for_the_tangents_and_stays_as_it_was():
    p, seen = Problem(), []

    def cost():
        seen.append(tg.is_grad_enabled())
        return p.cost()

    with tg.no_grad():
        cost_curve(cost, p.w, (0, 0), points=3, tangents=[1.0])
        assert not tg.is_grad_enabled()
    assert seen == [False] * 3 + [True] + [False]


def test_a_parameter_of_one_element_needs_no_index_and_names_may_be_missing():
    w = tg.tensor(2.0, requires_grad=True)
    ax = cost_curve(lambda: w * w, w, low=-1, high=1, points=3)
    np.testing.assert_array_equal(drawn(ax)["cost"][1], [1, 0, 1])
    assert ax.get_xlabel() == "w"
    v = tg.tensor([2.0], requires_grad=True, name="v")
    assert cost_curve(lambda: v * v, v, index=-1).get_xlabel() == "v[0]"


def test_where_the_cost_is_nan_the_curve_has_a_gap_and_the_title_says_so():
    w = tg.tensor(2.0, requires_grad=True)
    ax = cost_curve(lambda: w.log(), w, low=-1, high=1, points=11, tangents=[-0.5])
    assert np.isnan(drawn(ax)["cost"][1][:5]).all()
    assert ax.get_title() == "cost along one weight: NaN or infinite at 6 of 11 points"
    ax.figure.canvas.draw()


def test_a_walk_that_left_the_finite_numbers_and_bad_arguments_are_refused():
    p = Problem()
    cases = [
        (tg.ArgumentError, r"index=\(0, 0\)", {}),
        (tg.ArgumentError, "index must be 2 integers", {"index": 1}),
        (tg.ArgumentError, "index must be 2 integers", {"index": (1, slice(None))}),
        (tg.RangeError, "index must be 2 integers within", {"index": (1, 4)}),
        (tg.ArgumentError, "low must be below high", {"index": (1, 2), "low": 2, "high": 1}),
        (tg.ArgumentError, "low must be below high", {"index": (1, 2), "low": float("nan")}),
        (tg.ArgumentError, "points must be at least 2", {"index": (1, 2), "points": 1}),
        (tg.ArgumentError, "descent must be finite", {"index": (1, 2), "descent": [1.0, float("inf")]}),
        (tg.DTypeError, "ax must be an Axes", {"index": (1, 2), "ax": 3}),
    ]
    for error, match, arguments in cases:
        with pytest.raises(error, match=match):
            cost_curve(p.cost, p.w, **arguments)
    with pytest.raises(tg.DTypeError, match="cost must be a function"):
        cost_curve(p.cost(), p.w, (0, 0))
    with pytest.raises(tg.DTypeError, match="one number"):
        cost_curve(lambda: p.w, p.w, (0, 0))
    with pytest.raises(tg.DTypeError, match="must be tensors of floats"):
        cost_curve(p.cost, tg.tensor([1, 2]), 0)
    with pytest.raises(tg.DTypeError, match="must be tensors of floats"):
        cost_curve(p.cost, {"w": p.w, "v": p.v}, 0)
    with pytest.raises(tg.GraphError, match="don't depend"):
        cost_curve(lambda: (p.v * p.v).sum(), p.w, (0, 0), tangents=[0.0])
    frozen = np.ones(2)
    frozen.flags.writeable = False
    with pytest.raises(tg.ArgumentError, match="read-only"):
        cost_curve(p.cost, tg.Tensor(frozen), 0)


# -------------------------------------------------------------------------------------------------------------- compare


def run(steps, epochs, start=1.0):
    """A history as fit records it: each epoch of `steps` steps of 10 images in 2 seconds each."""
    rows = [
        {
            "step": k + 1,
            "epoch": k // steps + 1,
            "images": 10 * (k + 1),
            "loss": start / (k + 1),
            "seconds": 2.0 * k + 2,
        }
        for k in range(steps * epochs)
    ]
    ends = rows[steps - 1 :: steps]
    return History(rows, [row | {"loss": 2 * row["loss"], "validation_accuracy": 0.5} for row in ends])


def test_runs_over_epochs():
    ax = compare({"a": run(2, 3), "b": run(3, 2, start=2.0)})
    lines = drawn(ax)
    np.testing.assert_allclose(lines["a: 0.333"], [[1, 2, 3], [1, 1 / 2, 1 / 3]])
    np.testing.assert_allclose(lines["b: 0.667"], [[1, 2], [4 / 3, 2 / 3]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    colors = [line.get_color() for line in ax.get_lines()]
    assert len(set(colors)) == 2


def test_runs_over_images_and_seconds_follow_the_steps():
    lines = drawn(compare({"a": run(2, 3)}, x="images"))
    np.testing.assert_allclose(lines["a: 0.167"], [range(10, 70, 10), 1 / np.arange(1, 7)])
    ax = compare({"a": run(2, 3)}, x="seconds")
    np.testing.assert_allclose(drawn(ax)["a: 0.167"][0], range(2, 14, 2))
    assert ax.get_xlabel() == "training time (s)"


def test_many_steps_are_averaged_over_forty_parts_of_the_run():
    ax = compare({"a": run(80, 2)}, x="images")
    every, means = (np.array(line.get_data()) for line in ax.get_lines())
    np.testing.assert_allclose(every, [10 * np.arange(1, 161), 1 / np.arange(1, 161)])
    np.testing.assert_allclose(means, every.reshape(2, 40, 4).mean(2))


def test_what_steps_do_not_hold_is_taken_from_the_epochs():
    ax = compare({"a": run(2, 3)}, "validation_accuracy", x="seconds")
    np.testing.assert_allclose(drawn(ax)["a: 50.0 %"], [[4, 8, 12], [50, 50, 50]])
    assert ax.get_ylabel() == "validation accuracy (%)"


def test_a_run_that_diverged_is_drawn_up_to_there():
    ax = compare({"a": {"loss": [1.0, float("nan")]}, "b": {"loss": [1.0, 0.5]}})
    assert list(drawn(ax)) == ["a: nan", "b: 0.5"]
    ax.figure.canvas.draw()


def test_more_runs_than_colours_are_told_apart_by_their_dashes():
    ax = compare({str(k): {"loss": [1.0, 0.5]} for k in range(20)})
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.get_lines()}) == 20


def test_runs_that_cannot_be_compared_are_refused():
    for problem, arguments in (
        ("runs must have at least one run", ({},)),
        ("x must be one of epoch, images, seconds", ({"a": run(2, 2)}, "loss", "hours")),
    ):
        with pytest.raises(tg.ArgumentError, match=problem):
            compare(*arguments)
    with pytest.raises(tg.DTypeError, match="name them"):
        compare([run(2, 2)])
    with pytest.raises(tg.ArgumentError, match=r"compare: no epoch has 'f1'(.|\n)*run: 'a'"):
        compare({"a": run(2, 2)}, "f1")
    with pytest.raises(tg.ArgumentError, match="no epoch has 'f1'"):
        compare({"a": run(2, 2)}, "f1", x="images")
    with pytest.raises(tg.ArgumentError, match="doesn't have 'images'"):
        compare({"a": {"loss": [1.0]}}, x="images")
    with pytest.raises(tg.DTypeError, match="compare: history must be a training history"):
        compare({"a": 3})


def test_each_draws_on_the_axes_it_is_given():
    p = Problem()
    log = GradientLog({"w": p.w})
    p.cost().backward()
    log.record()
    for draw in (
        lambda ax: gradient_flow(log, ax=ax),
        lambda ax: cost_curve(p.cost, p.w, (0, 0), ax=ax),
        lambda ax: compare({"a": run(2, 2)}, ax=ax),
    ):
        ax = Figure().subplots()
        assert draw(ax) is ax
