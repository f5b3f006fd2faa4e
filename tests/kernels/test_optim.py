"""The update rules of the optimizers, compiled, against the same rules run by NumPy."""

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.optim import _kernel_of as kernel_of
from tensorgrad.kernels.rules import traced
from tensorgrad.nn.optim import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    updating,
)
from tensorgrad.nn.optim.samples import samples

RULES = {
    "SGD": lambda p: SGD(p, 0.1),
    "SGD, decay": lambda p: SGD(p, 0.1, weight_decay=0.01),
    "momentum": lambda p: SGD(p, 0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    "Nesterov, maximize": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True, maximize=True),
    "RMSprop": lambda p: RMSprop(p, 0.01),
    "RMSprop, centered": lambda p: RMSprop(p, 0.01, weight_decay=0.01, centered=True, eps=1e-3, maximize=True),
    "RMSprop, momentum": lambda p: RMSprop(p, 0.01, momentum=0.9),
    "RMSprop, all": lambda p: RMSprop(p, 0.01, momentum=0.9, centered=True, eps=1e-3),
    "Adam": lambda p: Adam(p, 0.01),
    "Adam, all": lambda p: Adam(p, 0.01, betas=(0.8, 0.9), weight_decay=0.1, amsgrad=True, maximize=True),
    "AdamW": lambda p: AdamW(p, 0.01, weight_decay=0.1),
    "AdamW, amsgrad": lambda p: AdamW(p, 0.01, amsgrad=True),
    "Adagrad": lambda p: Adagrad(p, 0.1, lr_decay=0.1, initial_accumulator_value=0.1, maximize=True),
    "Adadelta": lambda p: Adadelta(p, 0.5, weight_decay=0.1),
    "Adamax": lambda p: Adamax(p, 0.01, betas=(0.8, 0.9), weight_decay=0.1),
    "NAdam": lambda p: NAdam(p, 0.01, weight_decay=0.1),
    "RAdam": lambda p: RAdam(p, 0.01, betas=(0.8, 0.7), weight_decay=0.1, decoupled_weight_decay=True),
    "ASGD": lambda p: ASGD(p, 0.1, lambd=0.1, t0=1),
    "Rprop": lambda p: Rprop(p, 0.01),
    "Lion": lambda p: Lion(p, 0.01, weight_decay=0.1),
}
SHAPES = [(3,), (40, 30), (), (17, 5), (0,)]


def trained(make, dtype, layout=np.array, poison=False):
    """The weights after five steps, the third without a gradient for the second parameter, and the optimizer."""
    rng = np.random.default_rng(0)
    parameters = [tg.Tensor(layout(rng.standard_normal(s).astype(dtype)), requires_grad=True) for s in SHAPES]
    made = make(parameters)
    for step in range(5):
        for k, p in enumerate(parameters):
            gradient = rng.standard_normal(p.shape).astype(dtype)
            if poison and step == 1 and gradient.size > 2:
                gradient.ravel()[:3] = np.nan, np.inf, -np.inf
            p.grad = None if (step, k) == (2, 1) else tg.Tensor(layout(gradient))
        made.step()
    return [p.data for p in parameters], made


def assert_same(ours, expected, rtol):
    for (weights, made), (others, rule) in [(ours, expected)]:
        for w, v in zip(weights, others, strict=True):
            np.testing.assert_allclose(w, v, rtol=rtol, atol=rtol)
        for p, q in zip(made.state.values(), rule.state.values(), strict=True):
            assert p.keys() == q.keys() and p["step"] == q["step"]
            for slot in p:
                np.testing.assert_allclose(p[slot], q[slot], rtol=rtol, atol=rtol, err_msg=slot)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-13), ("float32", 3e-6)])
@pytest.mark.parametrize("poison", [False, True], ids=["numbers", "NaN and infinities"])
@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
def test_kernels_compute_the_rule(make, poison, dtype, rtol, monkeypatch):
    with np.errstate(all="ignore"):
        monkeypatch.setattr(updating, "LARGE", 10**9)
        expected = trained(make, dtype, poison=poison)
        monkeypatch.setattr(updating, "LARGE", 0)
        monkeypatch.setattr(updating, "_update_by_numpy", None)
        assert_same(trained(make, dtype, poison=poison), expected, rtol)


@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
def test_the_bits_are_those_of_one_thread(make, monkeypatch):
    monkeypatch.setattr(updating, "LARGE", 0)
    monkeypatch.setattr(dispatch, "SMALL", 0)
    before, results = dispatch.get_num_threads(), []
    try:
        for threads in (1, before, before):
            dispatch.set_num_threads(threads)
            results.append(b"".join(w.tobytes() for w in trained(make, "float32")[0]))
    finally:
        dispatch.set_num_threads(before)
    assert results[1:] == results[:1] * 2


def test_layouts_that_no_kernel_takes_are_updated_by_the_rule(monkeypatch):
    monkeypatch.setattr(updating, "LARGE", 0)
    expected = trained(RULES["momentum"], "float64")
    for layout in (np.asfortranarray, lambda a: np.repeat(np.atleast_1d(a), 2, 0)[::2].reshape(a.shape)):
        assert_same(trained(RULES["momentum"], "float64", layout), expected, 1e-13)


def test_a_rule_of_ones_own_has_no_kernel(monkeypatch):
    monkeypatch.setattr(updating, "LARGE", 0)

    class Halving(SGD):
        def update(self, w, g, state, **options):
            w *= 0.5

    w = tg.tensor([4.0], requires_grad=True)
    w.grad = tg.tensor([1.0])
    Halving([w], 0.1).step()
    assert w.item() == 2.0


class Decaying(Optimizer):
    """A rule with every operation that a rule may be compiled from, each with a number before it and behind it."""

    def __init__(self, params, lr=0.1, limit=0.5):
        super().__init__(params, lr=lr, limit=limit, maximize=False)

    def slots(self, options):
        return ("mean", "peak", "unused")

    def update(self, w, g, state, *, lr, limit):
        a = state["mean"] = 0.5 * state["mean"] + g * 0.25 + 2
        state["peak"] = np.maximum(state["peak"], abs(g)) - np.minimum(a, limit)
        b = np.sqrt(np.absolute(1 - a) + 1 / (2 + a * a)) / 2 - np.float64(0.5) * a
        return w - lr / state["step"] * (np.sign(b) + np.tanh(-b) + np.log(np.exp(b) + 1))


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-13), ("float32", 3e-6)])
@pytest.mark.parametrize("poison", [False, True], ids=["numbers", "NaN and infinities"])
def test_a_rule_of_ones_own_is_compiled(dtype, rtol, poison, monkeypatch):
    monkeypatch.setattr(updating, "LARGE", 10**9)
    expected = trained(Decaying, dtype, poison=poison)
    monkeypatch.setattr(updating, "LARGE", 0)
    monkeypatch.setattr(updating, "_update_by_numpy", None)
    with np.errstate(all="ignore"):
        assert_same(trained(Decaying, dtype, poison=poison), expected, rtol)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (lambda w, g, state: w.__isub__(g), "in place"),
        (lambda w, g, state: np.subtract(w, g, out=w), "subtract isn't among"),
        (lambda w, g, state: np.cbrt(w), "cbrt isn't among"),
        (lambda w, g, state: np.add.reduce(w), "add isn't among"),
        (lambda w, g, state: w if g else -w, "looks at their values"),
        (lambda w, g, state: w * float(g), "looks at their values"),
        (lambda w, g, state: w * np.ones(3), "arrays of its own"),
        (lambda w, g, state: None, "must return the new weights, got None"),
    ],
)
def test_what_symbols_cant_do_is_refused(rule, problem):
    with pytest.raises(TypeError, match=problem):
        traced(rule, (), 1)


def test_hyper_parameters_are_numbers_of_one_program():
    first, later = (traced(Adam([tg.zeros(1)], lr)._rule(options(lr)), ("exp_avg", "exp_avg_sq"), t) for lr, t in RATES)
    assert first[:2] == later[:2] and not np.array_equal(first.numbers, later.numbers)
    decaying = traced(Adam([tg.zeros(1)])._rule(options(0.1, 0.5)), ("exp_avg", "exp_avg_sq"), 1)
    assert len(decaying.numbers) == len(first.numbers) + 1


RATES = (0.1, 1), (0.01, 7)


def options(lr, weight_decay=0.0):
    decay = {"weight_decay": weight_decay, "amsgrad": False, "maximize": False}
    return {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-8, **decay}


def test_half_precision_is_updated_in_single_by_the_same_kernels(monkeypatch):
    results = []
    for large in (10**9, 0):
        monkeypatch.setattr(updating, "LARGE", large)
        results.append(trained(RULES["Adam, all"], "float16"))
    monkeypatch.setattr(updating, "_update_by_numpy", None)
    trained(RULES["Adam, all"], "float16")
    (weights, made), (others, _) = results
    for w, v, state in zip(weights, others, made.state.values(), strict=True):
        assert w.dtype == np.float16 and state["exp_avg"].dtype == state["exact_weight"].dtype == np.float32
        np.testing.assert_allclose(w, v, rtol=2e-3)


def test_the_warm_up_compiles_what_a_first_step_needs():
    for dtype in ("float32", "float64"):
        for _, step in samples(dtype):
            step()
        known = kernel_of.cache_info().currsize
        for make in (SGD, lambda p: SGD(p, 0.1, momentum=0.8), Adam, lambda p: AdamW(p, 0.1), RMSprop):
            w = tg.Tensor(np.ones(updating.LARGE, dtype), requires_grad=True)
            made = make([w])
            for _ in range(2):
                w.grad = tg.Tensor(np.ones(updating.LARGE, dtype))
                made.step()
    assert kernel_of.cache_info().currsize == known


def test_loaded_state_of_another_layout_is_read_right(monkeypatch):
    monkeypatch.setattr(updating, "LARGE", 0)
    gradient = np.random.default_rng(1).standard_normal((3, 4))
    results = []
    for layout in (np.ascontiguousarray, np.asfortranarray):
        w = tg.tensor(np.zeros((3, 4)), requires_grad=True)
        w.grad = tg.tensor(gradient)
        sgd = SGD([w], 0.1, momentum=0.9)
        sgd.step()
        state = sgd.state_dict()
        state["state"]["0"]["momentum_buffer"] = layout(state["state"]["0"]["momentum_buffer"])
        sgd.load_state_dict(state)
        sgd.step()
        results.append(w.numpy().copy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-13)


def test_what_is_remembered_of_memory_is_not_copied(monkeypatch):
    monkeypatch.setattr(updating, "LARGE", 0)
    w = tg.tensor(np.ones(50_000), requires_grad=True)
    w.grad = tg.tensor(np.ones(50_000))
    first = SGD([w], 0.1, momentum=0.9)
    first.step()
    second = copy.deepcopy(first)
    (other,) = second.param_groups[0]["params"]
    for made in (first, second):
        made.step()
    assert other is not w and not np.shares_memory(other.data, w.data)
    np.testing.assert_array_equal(other.data, w.data)


def test_weights_moved_or_locked_between_steps_are_noticed(monkeypatch):
    monkeypatch.setattr(updating, "LARGE", 0)
    w = tg.tensor(np.ones(6), requires_grad=True)
    w.grad = tg.tensor(np.ones(6))
    sgd = SGD([w], 1.0)
    sgd.step()
    old = w.data
    w.data = np.full(6, 5.0)
    sgd.step()
    np.testing.assert_array_equal(w.data, np.full(6, 4.0))
    np.testing.assert_array_equal(old, np.zeros(6))
    w._data.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        sgd.step()
