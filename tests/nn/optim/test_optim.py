"""Optimizers without PyTorch: steps computed by hand, groups, errors."""

import numpy as np
import pytest
from optimizers import EVERY_OPTION, ByHand, give, leaf, random_steps, steps

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
