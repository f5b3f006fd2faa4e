"""Optimizers without PyTorch: steps computed by hand, groups, errors, and states that resume to the bit."""

import copy
import json
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from tensorgrad.nn.optim import (
    ASGD,
    LBFGS,
    SGD,
    Adadelta,
    Adafactor,
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
    cosine,
)

EVERY_OPTION = {
    "SGD": lambda p: SGD(p, 0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "Nesterov": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: RMSprop(p, 0.01, weight_decay=0.01, momentum=0.9, centered=True),
    "Adam": lambda p: Adam(p, 0.01, weight_decay=0.01, amsgrad=True),
    "AdamW": lambda p: AdamW(p, 0.01, amsgrad=True),
    "Adagrad": lambda p: Adagrad(p, 0.1, initial_accumulator_value=0.1),
    "Adadelta": lambda p: Adadelta(p, 0.5, weight_decay=0.1),
    "Adafactor": lambda p: Adafactor(p, 0.1, weight_decay=0.1),
    "Adamax": lambda p: Adamax(p, 0.01, weight_decay=0.1),
    "NAdam": lambda p: NAdam(p, 0.01, weight_decay=0.1),
    "RAdam": lambda p: RAdam(p, 0.01, betas=(0.8, 0.7), decoupled_weight_decay=True),
    "ASGD": lambda p: ASGD(p, 0.1, t0=1),
    "Rprop": lambda p: Rprop(p, 0.01),
    "Lion": lambda p: Lion(p, 0.01, weight_decay=0.1),
}


def leaf(*values, dtype=np.float64):
    return tg.tensor(np.array(values, dtype), requires_grad=True)


def give(parameter, *values):
    parameter.grad = tg.tensor(np.array(values, parameter.dtype))


def steps(optimizer, parameter, gradients):
    """The parameter's value after each gradient."""
    trajectory = []
    for g in gradients:
        give(parameter, g)
        optimizer.step()
        trajectory.append(parameter.item())
    return trajectory


def random_steps(optimizer, parameters, count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        for p in parameters:
            p.grad = tg.tensor(rng.standard_normal(p.shape).astype(p.dtype))
        optimizer.step()


# ----------------------------------------------------------------------------------------------- steps computed by hand


def test_sgd_by_hand():
    assert steps(SGD([w := leaf(1)], 0.5), w, [2, -1]) == [0, 0.5]


def test_momentum_and_dampening_by_hand():
    # v = 2, then 0.5·2 + (1 − 0.25)·4 = 4
    assert steps(SGD([w := leaf(10)], 0.5, momentum=0.5, dampening=0.25), w, [2, 4]) == [9, 7]


def test_nesterov_by_hand():
    # v = 2, g + 0.5·2 = 3; v = 0.5·2 + 4 = 5, g + 0.5·5 = 6.5
    assert steps(SGD([w := leaf(10)], 0.5, momentum=0.5, nesterov=True), w, [2, 4]) == [8.5, 5.25]


def test_weight_decay_by_hand():
    assert steps(SGD([w := leaf(8)], 0.5, weight_decay=0.25), w, [2]) == [6]


def test_rmsprop_by_hand():
    # s = 0.25·16 = 4, d = 4/2; s = 0.75·4 + 0.25·4 = 4, d = −2/2
    assert steps(RMSprop([w := leaf(10)], 0.5, alpha=0.75, eps=0), w, [4, -2]) == [9, 9.5]
    # the momentum sums d: 2, then 0.5·2 − 1 = 0
    assert steps(RMSprop([w := leaf(10)], 0.5, alpha=0.75, eps=0, momentum=0.5), w, [4, -2]) == [9, 9]


def test_centered_rmsprop_by_hand():
    # s = 0.5·16 = 8, a = 2, √(8 − 4) = 2, d = 4/2
    assert steps(RMSprop([w := leaf(10)], 0.5, alpha=0.5, eps=0, centered=True), w, [4]) == [9]


def test_adam_by_hand():
    # m̂ = 4, v̂ = 16; then m = 0.5·2 − 1 = 0
    assert steps(Adam([w := leaf(10)], 0.5, betas=(0.5, 0.75), eps=0), w, [4, -2]) == [9.5, 9.5]


def test_amsgrad_keeps_the_largest():
    # v is 8, then 0.5·8 + 0.5·1 = 4.5; 1 − β₂² = 0.75
    plain = steps(Adam([w := leaf(0)], 1, betas=(0, 0.5), eps=0), w, [4, 1])
    ams = steps(Adam([w := leaf(0)], 1, betas=(0, 0.5), eps=0, amsgrad=True), w, [4, 1])
    assert plain == pytest.approx([-1, -1 - 1 / np.sqrt(4.5 / 0.75)], rel=1e-15)
    assert ams == pytest.approx([-1, -1 - 1 / np.sqrt(8 / 0.75)], rel=1e-15)


def test_adamw_decays_apart_from_the_moments():
    # w·(1 − 0.5·0.5), then a step of lr against the sign
    assert steps(AdamW([w := leaf(8)], 0.5, eps=0, weight_decay=0.5), w, [3]) == [5.5]
    assert steps(Adam([w := leaf(8)], 0.5, eps=0, weight_decay=0.5), w, [3]) == [7.5]


@pytest.mark.parametrize("make", [SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, NAdam, RAdam, Rprop, Lion])
def test_maximize_climbs(make):
    down = steps(make([w := leaf(0)], 0.5), w, [3, 1])
    up = steps(make([w := leaf(0)], 0.5, maximize=True), w, [3, 1])
    assert [-x for x in down] == up and up[1] > up[0] > 0


def test_lion_by_hand():
    # m = 0, sign 1; m = 0.5·4 = 2, 0.75·2 − 0.25·8 < 0
    assert steps(Lion([w := leaf(10)], 0.5, betas=(0.75, 0.5)), w, [4, -8]) == [9.5, 10]
    # w·(1 − 0.5·0.5), then a step of lr
    assert steps(Lion([w := leaf(8)], 0.5, weight_decay=0.5), w, [3]) == [5.5]


# ------------------------------------------------------------------------------------------------------- what a step is


def test_a_closure_is_called_first_and_its_loss_returned():
    w = leaf(2)
    optimizer = SGD([w], 0.25)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert optimizer.step(closure).item() == 4 and w.item() == 1
    assert optimizer.step(closure).item() == 1 and optimizer.step() is None


def test_lbfgs_goes_on_from_a_saved_state():
    def made():
        w = tg.tensor([-1.2, 1.0], dtype="float64", requires_grad=True)
        optimizer = LBFGS([w], max_iter=3, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2
            loss.backward()
            return loss

        return w, optimizer, closure

    w, one, closure = made()
    for _ in range(2):
        one.step(closure)
    v, two, again = made()
    v.data[...] = w.data
    two.load_state_dict(one.state_dict())
    for _ in range(3):
        one.step(closure)
        two.step(again)
    assert w.tolist() == v.tolist() and one.steps == two.steps == 5


def test_lbfgs_in_a_compiled_function_runs_as_it_is():
    w = leaf(3, -2)
    optimizer = LBFGS([w], lr=0.5, max_iter=2)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    compiled = tg.compile(lambda: optimizer.step(closure))
    with pytest.warns(RuntimeWarning, match=r"LBFGS\.step"):
        losses = [compiled().item() for _ in range(4)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0] and compiled.replays == 0


@pytest.mark.parametrize("make", EVERY_OPTION.values(), ids=EVERY_OPTION)
def test_parameters_change_in_place(make):
    w = leaf(1, 2, dtype=np.float32)
    memory, gradient = w._data, np.array([3, 4], np.float32)
    for _ in range(3):
        w.grad = tg.Tensor(gradient)
        (optimizer := make([w])).step()
    assert w._data is memory and w.dtype == np.float32 and not np.array_equal(memory, [1, 2])
    assert gradient.tolist() == [3, 4]
    assert all(a.dtype == np.float32 for a in optimizer.state[w].values() if not isinstance(a, int))


def test_a_step_is_seen_by_backward():
    w = leaf(1, 2)
    loss = (w * w).sum()
    give(w, 1, 1)
    SGD([w], 0.1).step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize("make", EVERY_OPTION.values(), ids=EVERY_OPTION)
def test_any_memory_layout(make):
    values = np.random.default_rng(0).standard_normal((4, 6))
    odd = tg.Tensor(values.copy()[::-2, ::3].T, requires_grad=True)
    even = tg.tensor(np.ascontiguousarray(values[::-2, ::3].T), requires_grad=True)
    scalar = tg.tensor(np.float64(2), requires_grad=True)
    for p in (odd, even):
        random_steps(make([p]), [p], 4, seed=1)
    assert np.array_equal(odd.data, even.data)
    random_steps(make([scalar]), [scalar], 2, seed=1)
    assert scalar.shape == () and scalar.item() != 2


def test_parameters_without_gradient_are_skipped():
    a, b = leaf(1), leaf(1)
    give(a, 1)
    optimizer = Adam([a, b], 0.1, weight_decay=0.5)
    optimizer.step()
    assert b.item() == 1 and b not in optimizer.state and a.item() < 1
    # its bias correction counts its own steps
    give(b, 1)
    optimizer.step()
    assert optimizer.state[b]["step"] == 1 and optimizer.steps == 2
    assert b.item() == pytest.approx(0.9, rel=1e-6)


def test_zero_grad():
    a, b = leaf(1), leaf(1)
    give(a, 1)
    optimizer = SGD([a, b], 0.1)
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0] and b.grad is None
    optimizer.zero_grad()
    assert a.grad is None


def test_infinities_and_nan_pass_without_warnings(recwarn):
    w = leaf(1, 1, 1)
    give(w, np.inf, np.nan, 1e300)
    Adam([w], 0.1).step()
    assert np.isnan(w.data[:2]).all() and not recwarn.list


def test_groups_have_their_own_options():
    a, b, c = leaf(0), leaf(0), leaf(0)
    optimizer = SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.25)
    optimizer.add_param_group({"params": [c], "lr": 1.0, "momentum": 0.5})
    for _ in range(2):
        for p in (a, b, c):
            give(p, 1)
        optimizer.step()
    assert (a.item(), b.item(), c.item()) == (-0.5, -1.0, -2.5)
    optimizer.param_groups[0]["lr"] = 1.0
    give(a, 1)
    optimizer.step()
    assert a.item() == -1.5


def test_the_learning_rate_can_be_a_schedule():
    w = leaf(0)
    optimizer = SGD([w], lr=lambda step: [1.0, 0.5, 0.25][step])
    assert optimizer.learning_rate == 1.0
    assert steps(optimizer, w, [1, 1]) == [-1, -1.5]
    assert optimizer.learning_rate == 0.25


def test_numpy_hyper_parameters_do_not_widen():
    w = leaf(1, dtype=np.float32)
    give(w, 1)
    optimizer = Adam([w], lr=np.float64(0.1), betas=[np.float64(0.9), 0.99])
    optimizer.step()
    assert w.dtype == np.float32 and type(optimizer.param_groups[0]["lr"]) is float


def test_repr_names_every_option():
    text = repr(SGD([leaf(1, 2)], lr=cosine(0.1, 100), momentum=0.9))
    assert "cosine(lr=0.1, steps=100, minimum=0.0)" in text and "momentum=0.9" in text and "2 weights" in text


# --------------------------------------------------------------------------------------------------------------- states


@pytest.mark.parametrize("make", EVERY_OPTION.values(), ids=EVERY_OPTION)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resume_is_exact(make, dtype):
    def network():
        rng = np.random.default_rng(5)
        return [tg.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in [(3, 4), (4,)]]

    straight, stopped = network(), network()
    one = make(straight)
    random_steps(one, straight, 3, seed=1)
    random_steps(one, straight, 3, seed=2)

    two = make(stopped)
    random_steps(two, stopped, 3, seed=1)
    arrays, text = {}, copy.deepcopy(two.state_dict())
    for name, entry in text["state"].items():
        arrays[name] = {slot: entry.pop(slot) for slot in list(entry) if slot != "step"}
    state = json.loads(json.dumps(text))
    for name, entry in state["state"].items():
        entry.update(arrays[name])

    resumed = [tg.tensor(p.data, requires_grad=True) for p in stopped]
    three = make(resumed)
    three.load_state_dict(state)
    random_steps(three, resumed, 3, seed=2)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(straight, resumed, strict=True))
    assert three.steps == one.steps == 6 and three.param_groups[0]["lr"] == one.param_groups[0]["lr"]


@pytest.mark.parametrize("make", EVERY_OPTION.values(), ids=EVERY_OPTION)
@pytest.mark.parametrize("shape", [(3,), (80, 80)], ids=["NumPy", "kernel"])
def test_resume_from_a_file_is_exact(make, shape, tmp_path):
    """`tg.load` gives tensors; rules and kernels compute with arrays."""
    values = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    straight, resumed = ([tg.tensor(values, requires_grad=True)] for _ in range(2))
    one = make(straight)
    random_steps(one, straight, 3, seed=1)
    tg.save({"weight": straight[0].detach(), "optimizer": one.state_dict()}, tmp_path / "run.safetensors")
    random_steps(one, straight, 3, seed=2)

    two, saved = make(resumed), tg.load(tmp_path / "run.safetensors")
    resumed[0].data[...] = saved["weight"].numpy()
    two.load_state_dict(saved["optimizer"])
    random_steps(two, resumed, 3, seed=2)
    np.testing.assert_array_equal(straight[0].data, resumed[0].data)
    assert all(isinstance(kept, int | np.ndarray) for kept in two.state[resumed[0]].values())


def test_a_loaded_state_shares_no_memory():
    a, b = leaf(1), leaf(1)
    one, two = Adam([a]), Adam([b])
    steps(one, a, [1])
    two.load_state_dict(one.state_dict())
    before = one.state[a]["exp_avg"].copy()
    steps(two, b, [5])
    assert np.array_equal(one.state[a]["exp_avg"], before)


def test_schedules_stay_and_go_on():
    a, b = leaf(1), leaf(1)
    one, two = (SGD([p], cosine(0.1, 10)) for p in (a, b))
    steps(one, a, [1, 1, 1])
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert two.learning_rate == one.learning_rate == cosine(0.1, 10)(3)


def test_names_are_kept():
    optimizer = SGD([("weight", w := leaf(1)), ("bias", leaf(1))], 0.1, momentum=0.9)
    steps(optimizer, w, [1])
    state = optimizer.state_dict()
    assert state["param_groups"][0]["params"] == ["weight", "bias"] and list(state["state"]) == ["weight"]


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (lambda: SGD([leaf(1, 2)], 0.1), "saved by SGD, loaded into Adam"),
        (lambda: Adam([leaf(1, 2), leaf(1)]), "parameters ['0', '1'] saved, ['0'] here"),
        (lambda: Adam([("w", leaf(1, 2))]), "parameters ['w'] saved"),
        (lambda: Adam([leaf(1, 2, 3)]), "exp_avg is (3,) float64, expected (2,) float64"),
        (lambda: Adam([leaf(1, 2, dtype=np.float32)]), "exp_avg_sq is (2,) float32"),
        (lambda: Adam([{"params": [leaf(1, 2)]}, {"params": [leaf(1)]}]), "groups of parameters: 2 saved, 1 here"),
        (lambda: Adam([leaf(1, 2)], lr=cosine(0.1, 5)), "both must be numbers, or both schedules"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(saved, words):
    other = saved()
    for p in other.named_parameters().values():
        p.grad = tg.ones_like(p)
    other.step()
    w = leaf(1, 2)
    optimizer = Adam([w], 0.5)
    give(w, 1, 1)
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ArgumentError) as caught:
        optimizer.load_state_dict(other.state_dict())
    assert words in str(caught.value)
    after = optimizer.state_dict()
    assert np.array_equal(before["state"]["0"].pop("exp_avg"), after["state"]["0"].pop("exp_avg"))
    assert np.array_equal(before["state"]["0"].pop("exp_avg_sq"), after["state"]["0"].pop("exp_avg_sq"))
    assert before == after


def test_a_damaged_state_is_refused():
    optimizer = Adam([w := leaf(1)])
    steps(optimizer, w, [1])
    state = optimizer.state_dict()
    del state["state"]["0"]["exp_avg"]
    with pytest.raises(ArgumentError, match="no 'exp_avg' saved"):
        optimizer.load_state_dict(state)
    with pytest.raises(ArgumentError, match="it has no 'param_groups'"):
        optimizer.load_state_dict({"optimizer": "Adam", "steps": 1, "state": {}})


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SGD([]), ArgumentError, "no parameters"),
        (lambda: SGD(iter([])), ArgumentError, "no parameters"),
        (lambda: SGD(leaf(1)), DTypeError, "as a list"),
        (lambda: SGD(3), DTypeError, "as a list"),
        (lambda: SGD([np.zeros(2)]), DTypeError, "(2,) float64"),
        (lambda: SGD([tg.tensor([1, 2])]), DTypeError, "(2,) int64"),
        (lambda: SGD([leaf(1) * 2]), GraphError, "can't be trained, only a leaf"),
        (lambda: SGD([w := leaf(1), w]), ArgumentError, "given twice"),
        (lambda: SGD([{"params": [w := leaf(1)]}, {"params": [w]}]), ArgumentError, "given twice"),
        (lambda: SGD([("w", leaf(1)), ("w", leaf(2))]), ArgumentError, "one name"),
        (lambda: SGD([{"params": [leaf(1)], "speed": 3}]), ArgumentError, "unknown options ['speed']"),
        (lambda: SGD([{"lr": 3}]), ArgumentError, "without 'params'"),
        (lambda: SGD([tg.Tensor(np.broadcast_to(1.0, 3))]), ArgumentError, "read-only"),
        (lambda: SGD([leaf(1)], lr=-1), ArgumentError, "lr: -1"),
        (lambda: SGD([leaf(1)], lr=float("nan")), ArgumentError, "lr: nan"),
        (lambda: SGD([leaf(1)], lr="fast"), ArgumentError, "lr: 'fast'"),
        (lambda: SGD([leaf(1)], momentum=-0.1), ArgumentError, "momentum: -0.1"),
        (lambda: SGD([leaf(1)], nesterov=True), ArgumentError, "Nesterov"),
        (lambda: SGD([leaf(1)], nesterov=True, momentum=0.9, dampening=0.1), ArgumentError, "dampening: 0.1"),
        (lambda: SGD([leaf(1)], weight_decay=-1), ArgumentError, "weight_decay: -1"),
        (lambda: RMSprop([leaf(1)], alpha=1), ArgumentError, "alpha: 1"),
        (lambda: RMSprop([leaf(1)], eps=-1), ArgumentError, "eps: -1"),
        (lambda: Adam([leaf(1)], betas=(0.9, 1.0)), ArgumentError, "beta2: 1.0"),
        (lambda: Adam([leaf(1)], betas=0.9), ArgumentError, "betas: 0.9"),
        (lambda: Adam([{"params": [leaf(1)], "betas": (-0.1, 0.9)}]), ArgumentError, "beta1: -0.1"),
        (lambda: AdamW([leaf(1)], weight_decay=True), ArgumentError, "weight_decay: True"),
        (lambda: Adam([leaf(1)], differentiable=True), ArgumentError, "differentiable must be False"),
        (lambda: Adagrad([leaf(1)], lr_decay=-1), ArgumentError, "lr_decay: -1"),
        (lambda: Adafactor([leaf(1)], eps=1e-3), ArgumentError, "eps must be two numbers"),
        (lambda: Adafactor([leaf(1)], eps=(None, -1.0)), ArgumentError, "eps must be a finite number ≥ 0"),
        (lambda: Adafactor([leaf(1)], beta2_decay=0.8), ArgumentError, "beta2_decay must be a finite number ≤ 0"),
        (lambda: Adafactor([leaf(1)], d=0.5), ArgumentError, "d must be at least 1"),
        (lambda: Adadelta([leaf(1)], rho=1.5), ArgumentError, "rho must be a number in [0, 1]"),
        (lambda: Adamax([leaf(1)], betas=(0.9, 1)), ArgumentError, "Adamax: beta2 must be"),
        (lambda: NAdam([leaf(1)], momentum_decay=-1), ArgumentError, "momentum_decay: -1"),
        (lambda: RAdam([leaf(1)], eps=-1), ArgumentError, "eps: -1"),
        (lambda: ASGD([leaf(1)], lambd=-1), ArgumentError, "lambd: -1"),
        (lambda: Rprop([leaf(1)], etas=(1.2, 0.5)), ArgumentError, "0 < η⁻ < 1 < η⁺"),
        (lambda: Rprop([leaf(1)], step_sizes=1.0), ArgumentError, "step_sizes must be two numbers"),
        (lambda: Lion([leaf(1)], betas=0.9), ArgumentError, "Lion: betas must be two numbers"),
        (lambda: LBFGS([leaf(1)], line_search_fn="wolfe"), ArgumentError, 'None or "strong_wolfe"'),
        (lambda: LBFGS([leaf(1)], max_iter=2.5), ArgumentError, "max_iter must be an int ≥ 0"),
        (lambda: LBFGS([leaf(1)]).step(), ArgumentError, "a closure is needed"),
        (lambda: LBFGS([{"params": [leaf(1)]}, {"params": [leaf(2)]}]), ArgumentError, "must be in one group"),
    ],
)
def test_errors_restate_the_call(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert words in str(caught.value)


def test_a_misshapen_gradient_changes_nothing():
    a, b = leaf(1), leaf(1, 2)
    give(a, 1)
    give(b, 1)
    optimizer = SGD([a, b], 0.1, momentum=0.9)
    with pytest.raises(ShapeError, match="doesn't have its parameter's shape"):
        optimizer.step()
    assert a.item() == 1 and not optimizer.state and optimizer.steps == 0


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_a_senseless_schedule_changes_nothing(rate):
    w = leaf(1)
    give(w, 1)
    optimizer = SGD([w], lr=lambda step: rate)
    with pytest.raises(ArgumentError, match="at step 0"):
        optimizer.step()
    assert w.item() == 1 and optimizer.steps == 0


def test_a_rule_of_ones_own():
    class SignDescent(Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, lr=lr, maximize=False)

        def slots(self, options):
            return ()

        def update(self, w, g, state, *, lr):
            w -= lr * np.sign(g)

    assert steps(SignDescent([w := leaf(1)], 0.25), w, [7, -3, 2]) == [0.75, 1.0, 0.75]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), None),
        ((), [1]),
        (("steps",), -1),
        (("steps",), 1.5),
        (("steps",), True),
        (("optimizer",), np.zeros(3)),
        (("param_groups",), {"params": []}),
        (("param_groups",), [None]),
        (("param_groups", 0, "params"), "w"),
        (("param_groups", 0, "lr"), "text"),
        (("param_groups", 0, "lr"), math.nan),
        (("param_groups", 0, "betas"), 0.9),
        (("param_groups", 0, "betas"), [0.9, "0.99"]),
        (("param_groups", 0, "amsgrad"), "text"),
        (("param_groups", 0, "eps"), None),
        (("state",), [1]),
        (("state", "w"), 3),
        (("state", "w", "step"), -1),
        (("state", "w", "step"), 2.0),
        (("state", "w", "exp_avg"), [0.0, 0.0]),
        (("state", "w", "more"), "text"),
        (("state", "elsewhere"), {"step": 1}),
    ],
)
def test_states_that_make_no_sense_are_refused_whole(path, value):
    def built():
        w = tg.tensor([1.0, 2.0], requires_grad=True)
        (w * w).sum().backward()
        optimizer = Adam([("w", w)], 0.1)
        optimizer.step()
        return optimizer

    optimizer = built()
    before = repr(optimizer.state_dict())
    state = copy.deepcopy(built().state_dict())
    if path:
        holder = state
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
    else:
        state = value
    with pytest.raises(ArgumentError, match="the state doesn't fit"):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


class ByHand(Optimizer):
    """As scripts for PyTorch write one: options in a dict, a step of its own, a state that is empty at first."""

    def __init__(self, params, lr=0.5):
        super().__init__(params, dict(lr=lr))

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["step"], state["sum"] = 0, tg.zeros_like(p.data)
                state["step"] += 1
                state["sum"].add_(p.grad)
                p.data.add_(state["sum"], alpha=-group["lr"])


@pytest.mark.filterwarnings("error")
def test_an_optimizer_with_a_step_of_its_own():
    optimizer = ByHand([w := leaf(10)])
    scheduler = tg.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    give(w, 2)
    optimizer.step()  # the sum is 2
    scheduler.step()
    give(w, 4)
    optimizer.step()  # the sum is 6, the rate 0.25
    assert w.item() == 10 - 0.5 * 2 - 0.25 * 6 and optimizer.steps == 2
    other = ByHand([v := leaf(w.item())], lr=0.25)
    other.load_state_dict(optimizer.state_dict())
    for p, o in ((w, optimizer), (v, other)):
        give(p, 1)
        o.step()
    assert w.item() == v.item() and other.steps == 3


def test_groups_of_another_optimizer_keep_their_options():
    inner = ByHand([leaf(1)])
    inner.param_groups[0]["rho"] = 0.05
    outer = SGD(inner.param_groups, lr=0.1, momentum=0.9)
    assert outer.param_groups[0]["rho"] == 0.05 and outer.param_groups[0]["lr"] == 0.5
    with pytest.raises(ArgumentError, match="unknown options"):
        SGD([{"params": [leaf(1)], "rho": 0.05}])


def test_reading_a_state_that_is_not_there_changes_no_step():
    optimizer = Adam([w := leaf(10)], 0.5, eps=0)
    assert optimizer.state[w] == {}
    assert steps(optimizer, w, [4]) == [9.5]
