"""Learning-rate schedulers: beside PyTorch's, saved and loaded, in compiled steps, and what they refuse."""

import copy
import json
import math
import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn.optim import SGD, Adam, RMSprop, constant, lr_scheduler

CASES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, [lambda t: 0.95**t, lambda t: 1 / (1 + t)]),
    "LambdaLR/one": lambda s, o: s.LambdaLR(o, lambda t: 0.9**t),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.9 + 0.01 * t),
    "StepLR": lambda s, o: s.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], gamma=0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, 4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.2, 0.7, 6),
    "LinearLR/defaults": lambda s, o: s.LinearLR(o),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 8, 2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 5, 0.01),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "CosineAnnealingWarmRestarts/1": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, [0.5, 1.0], total_steps=22),
    "OneCycleLR/linear": lambda s, o: s.OneCycleLR(
        o, 0.5, epochs=6, steps_per_epoch=4, anneal_strategy="linear", three_phase=True, pct_start=0.4,
        div_factor=10.0, final_div_factor=100.0, base_momentum=0.7, max_momentum=0.9,
    ),
    "OneCycleLR/no momentum": lambda s, o: s.OneCycleLR(o, 0.5, 30, cycle_momentum=False),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.5, step_size_up=3, step_size_down=5),
    "CyclicLR/2": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.5, 0.3], 4, mode="triangular2", base_momentum=0.6),
    "CyclicLR/exp": lambda s, o: s.CyclicLR(o, 0.01, 0.5, 4, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "CyclicLR/own": lambda s, o: s.CyclicLR(o, 0.01, 0.5, 4, scale_fn=lambda x: 0.5**x, scale_mode="iterations"),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 6), s.ExponentialLR(o, 0.5)], [4, 11]
    ),
    "SequentialLR/restarts": lambda s, o: s.SequentialLR(
        o, [s.CosineAnnealingWarmRestarts(o, 3), s.MultiplicativeLR(o, lambda t: 0.9), s.LambdaLR(o, lambda t: 0.5)],
        [5, 9],
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)]),
    "ChainedScheduler/4": lambda s, o: s.ChainedScheduler(
        [s.StepLR(o, 4, 0.5), s.LinearLR(o, 0.5), s.PolynomialLR(o, 15), s.MultiStepLR(o, [6])], optimizer=o
    ),
    "nested": lambda s, o: s.SequentialLR(
        o, [s.ChainedScheduler([s.LinearLR(o), s.StepLR(o, 2)]), s.CosineAnnealingLR(o, 7)], [6]
    ),
}  # fmt: skip
OPTIMIZERS = {
    "SGD": (lambda p: SGD(p, lr=0.1, momentum=0.9), "SGD", {"lr": 0.1, "momentum": 0.9}),
    "Adam": (lambda p: Adam(p, lr=0.1), "Adam", {"lr": 0.1}),
}


def groups(make):
    return [{"params": [make()]}, {"params": [make()], "lr": 0.3}]


def leaf():
    return tg.zeros(1, requires_grad=True)


def settings(optimizer):
    keys = ("lr", "momentum", "betas")
    return [[group[key] for key in keys if key in group] for group in optimizer.param_groups]


def stepped(optimizer, scheduler, count):
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(count):
            found.append((settings(optimizer), scheduler.get_last_lr()))
            optimizer.step()
            scheduler.step()
    return found


def assert_close(ours, theirs):
    for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        for a, b in zip(one, other, strict=True):
            if isinstance(a, tuple | list):
                assert_close([a], [b])
            else:
                assert a == pytest.approx(b, rel=1e-9, abs=1e-14), k


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_as_pytorch(make, kind):
    torch = pytest.importorskip("torch")
    ours, name, options = OPTIMIZERS[kind]
    mine = ours(groups(leaf))
    pytorch = getattr(torch.optim, name)(groups(lambda: torch.zeros(1, requires_grad=True)), **options)
    one, other = make(lr_scheduler, mine), make(torch.optim.lr_scheduler, pytorch)
    assert_close(stepped(mine, one, 20), stepped(pytorch, other, 20))
    assert one.last_epoch == getattr(other, "last_epoch", 20)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        lambda s, o, t: s.StepLR(o, 3, 0.5, last_epoch=t),
        lambda s, o, t: s.MultiStepLR(o, [2, 5], last_epoch=t),
        lambda s, o, t: s.ConstantLR(o, last_epoch=t),
        lambda s, o, t: s.LinearLR(o, last_epoch=t),
        lambda s, o, t: s.ExponentialLR(o, 0.8, last_epoch=t),
        lambda s, o, t: s.PolynomialLR(o, 9, last_epoch=t),
        lambda s, o, t: s.CosineAnnealingLR(o, 5, last_epoch=t),
        lambda s, o, t: s.LambdaLR(o, lambda t: 0.9**t, last_epoch=t),
        lambda s, o, t: s.CosineAnnealingWarmRestarts(o, 5, last_epoch=t),
    ],
)
@pytest.mark.parametrize("epoch", [0, 1, 4])
def test_going_on_at_an_epoch(make, epoch):
    torch = pytest.importorskip("torch")
    results = []
    for optimizer, library in (
        (SGD([leaf()], lr=0.1), lr_scheduler),
        (torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1), torch.optim.lr_scheduler),
    ):
        optimizer.param_groups[0]["initial_lr"] = 0.3
        results.append(stepped(optimizer, make(library, optimizer, epoch), 8))
    assert_close(*results)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["StepLR", "LinearLR", "CosineAnnealingLR", "MultiStepLR", "PolynomialLR", "CyclicLR"])
def test_a_step_to_an_epoch(name):
    torch = pytest.importorskip("torch")
    mine, pytorch = SGD([leaf()], 0.1, 0.9), torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1, 0.9)
    one, other = CASES[name](lr_scheduler, mine), CASES[name](torch.optim.lr_scheduler, pytorch)
    for epoch in (3, 9, 2, 0):
        one.step(epoch)
        other.step(epoch)
        assert_close([one.get_last_lr()], [other.get_last_lr()])


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_fractions_of_epochs():
    torch = pytest.importorskip("torch")
    mine, pytorch = SGD([leaf()], 0.1), torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    for multiple in (1, 2, 3):
        one = lr_scheduler.CosineAnnealingWarmRestarts(mine, 3, multiple)
        other = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(pytorch, 3, multiple)
        for epoch in np.linspace(0, 30, 61):
            one.step(float(epoch))
            other.step(float(epoch))
            assert_close([one.get_last_lr()], [other.get_last_lr()])
            assert one.last_epoch == other.last_epoch


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.seeds(4)
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateaus(mode, threshold_mode, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    options = {"mode": mode, "threshold_mode": threshold_mode, "factor": 0.5, "patience": int(rng.integers(0, 3))}
    options |= {"cooldown": int(rng.integers(0, 3)), "threshold": 0.05, "min_lr": [0.02, 0.001]}
    mine = SGD(groups(leaf), 0.1)
    pytorch = torch.optim.SGD(groups(lambda: torch.zeros(1, requires_grad=True)), 0.1)
    one = lr_scheduler.ReduceLROnPlateau(mine, **options)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(pytorch, **options)
    for value in rng.uniform(-1, 1, 40):
        one.step(tg.tensor(value))
        other.step(torch.tensor(value))
        assert_close([one.get_last_lr()], [other.get_last_lr()])


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_a_saved_scheduler_goes_on(make):
    one, two = (SGD(groups(leaf), lr=0.1, momentum=0.9) for _ in range(2))
    first, second = make(lr_scheduler, one), make(lr_scheduler, two)
    stepped(one, first, 5)
    state = json.loads(json.dumps(first.state_dict()))
    two.load_state_dict(one.state_dict())
    second.load_state_dict(state)
    assert stepped(one, first, 6) == stepped(two, second, 6) and second.last_epoch == first.last_epoch


DAMAGE = ["gone", None, True, "x", [], {}, [1.0], math.nan, "9" * 40, {"a": 1}, [[0.1]], np.array([1.0, 2.0])]


@pytest.mark.parametrize("make", [*CASES.values(), lr_scheduler.ReduceLROnPlateau], ids=[*CASES, "plateau"])
def test_a_damaged_state_is_refused_and_changes_nothing(make):
    """Each value of a state, of its parts too, in turn gone or of another kind."""

    def made():
        optimizer = SGD(groups(leaf), lr=0.1, momentum=0.9)
        return make(optimizer) if make is lr_scheduler.ReduceLROnPlateau else make(lr_scheduler, optimizer)

    state = made().state_dict()
    holders = [lambda state: state] + [
        lambda state, k=k: state["_schedulers"][k] for k in range(len(state.get("_schedulers", ())))
    ]
    for holder in holders:
        for key in holder(state):
            for damage in DAMAGE:
                scheduler, other = made(), copy.deepcopy(state) | {"last_epoch": 7}
                here = holder(other)
                here[key] = damage
                if damage is DAMAGE[0]:
                    del here[key]
                before = repr(scheduler.state_dict())
                try:
                    scheduler.load_state_dict(other)
                except (tg.ArgumentError, tg.DTypeError) as error:
                    assert "load_state_dict" in str(error)
                    assert repr(scheduler.state_dict()) == before
                else:
                    assert isinstance(holder(state)[key], type(damage))


@pytest.mark.parametrize("state", [None, 3, [("last_epoch", 1)], {5: 1, None: 2}])
def test_what_is_no_state_is_refused(state):
    for make in (lr_scheduler.StepLR, lambda o, n: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, n)], [])):
        scheduler = make(SGD([leaf()], 0.1), 2)
        with pytest.raises((tg.ArgumentError, tg.DTypeError), match="load_state_dict"):
            scheduler.load_state_dict(state)


def test_what_a_state_holds_besides_replaces_nothing():
    """PyTorch's states hold `lr_lambdas`, a list of None, and more."""
    optimizer = SGD([leaf()], 0.1)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t)
    scheduler.load_state_dict(scheduler.state_dict() | {"lr_lambdas": [None], "step": 3, "optimizer": None, 5: 1})
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.05]


def test_a_plateau_is_saved_too():
    one, two = SGD([leaf()], 1.0), SGD([leaf()], 1.0)
    first, second = (lr_scheduler.ReduceLROnPlateau(o, "min", 0.5, patience=1) for o in (one, two))
    for value in (3.0, 2.0, 2.5):
        first.step(value)
    second.load_state_dict(first.state_dict())
    second.step(2.5)
    assert second.get_last_lr() == [0.5] and second.best == 2.0


def test_compiled_steps_follow_the_learning_rate():
    def run(compiled):
        w = tg.tensor([4.0, -2.0], requires_grad=True)
        optimizer = SGD([w], lr=0.1, momentum=0.5)
        scheduler = lr_scheduler.StepLR(optimizer, 2, 0.5)

        def step(x):
            optimizer.zero_grad()
            loss = ((w - x) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        step = tg.compile(step) if compiled else step
        losses = []
        for k in range(10):
            losses.append(step(tg.tensor([1.0, 0.1 * k])).item())
            scheduler.step()
        return losses, w.tolist(), getattr(step, "replays", 0)

    ours, plain = run(True), run(False)
    assert ours[:2] == plain[:2] and ours[2] > 5


def test_schedulers_step_within_compiled_functions():
    def run(compiled):
        w = tg.tensor([4.0, -2.0], requires_grad=True)
        optimizer = RMSprop([w], lr=0.1)
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.8)
        plateau = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.3)

        def step(x):
            optimizer.zero_grad()
            loss = ((w - x) ** 2).sum()
            loss.backward()
            optimizer.step()
            scheduler.step()
            plateau.step(loss)
            return loss

        step = tg.compile(step) if compiled else step
        losses = [step(tg.tensor([1.0, 0.1 * k])).item() for k in range(10)]
        return losses, w.tolist(), optimizer.param_groups[0]["lr"], getattr(step, "replays", 0)

    ours, plain = run(True), run(False)
    assert ours[:3] == plain[:3] and ours[3] > 5


def test_a_compiled_function_that_reads_a_scheduler_runs_as_it_is():
    optimizer = SGD([leaf()], lr=1.0)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    compiled = tg.compile(lambda x: x * scheduler.last_epoch)
    with pytest.warns(RuntimeWarning, match=r"ExponentialLR\.last_epoch"):
        for k in range(4):
            assert compiled(tg.ones(1)).item() == k
            optimizer.step()
            scheduler.step()


def test_a_step_before_the_optimizers_is_warned_of():
    scheduler = lr_scheduler.StepLR(SGD([leaf()], 0.1), 2)
    with pytest.warns(UserWarning, match="called before optimizer.step"):
        scheduler.step()


def test_a_scheduler_of_ones_own():
    class WarmUp(lr_scheduler.LRScheduler):
        def __init__(self, optimizer, steps, last_epoch=-1):
            self.steps = steps
            super().__init__(optimizer, last_epoch)

        def get_lr(self):
            return [lr * min(1, (self.last_epoch + 1) / self.steps) for lr in self.base_lrs]

    optimizer = SGD(groups(leaf), 0.1)
    rates = [lrs for _, lrs in stepped(optimizer, WarmUp(optimizer, 2), 3)]
    assert rates == [[0.05, 0.15], [0.1, 0.3], [0.1, 0.3]] and isinstance(
        WarmUp(optimizer, 2), lr_scheduler._LRScheduler
    )


OTHER = SGD([leaf()], 0.1)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda o: lr_scheduler.StepLR(0.1, 2), tg.DTypeError, "StepLR: expected an Optimizer, got float"),
        (lambda o: lr_scheduler.StepLR(SGD([leaf()], constant(0.1)), 2), tg.ArgumentError, "is a schedule already"),
        (lambda o: lr_scheduler.StepLR(o, 2, last_epoch=3), tg.ArgumentError, "no 'initial_lr'"),
        (lambda o: lr_scheduler.StepLR(o, 0), tg.ArgumentError, "step_size must be an int ≥ 1, got 0"),
        (lambda o: lr_scheduler.LambdaLR(o, 0.5), tg.DTypeError, "a function epoch -> factor"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), tg.ArgumentError, "one for each of the 1 groups"),
        (lambda o: lr_scheduler.ConstantLR(o, 2), tg.ArgumentError, "factor must be in [0, 1], got 2"),
        (lambda o: lr_scheduler.LinearLR(o, 0), tg.ArgumentError, "start_factor must be in (0, 1], got 0"),
        (lambda o: lr_scheduler.LinearLR(o, 1, 2), tg.ArgumentError, "end_factor must be in [0, 1], got 2"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0), tg.ArgumentError, "T_0 must be an int ≥ 1"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0), tg.ArgumentError, "pass total_steps, or epochs"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 9, pct_start=2), tg.ArgumentError, "pct_start must be in [0, 1]"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 9, anneal_strategy="cosine"), tg.ArgumentError, "'cosine'"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, mode="square"), tg.ArgumentError, "'square'"),
        (
            lambda o: lr_scheduler.CyclicLR(tg.nn.optim.Adagrad([leaf()]), 0.1, 1.0),
            tg.ArgumentError,
            "cycle_momentum=False",
        ),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), tg.ArgumentError, "factor must be < 1"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), tg.ArgumentError, "mode must be"),
        (lambda o: lr_scheduler.SequentialLR(o, [], []), tg.ArgumentError, "one or more"),
        (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 1)], [2]), tg.ArgumentError, "one fewer"),
        (
            lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(o, 1), lr_scheduler.StepLR(OTHER, 1)]),
            tg.ArgumentError,
            "belongs to another optimizer",
        ),
        (
            lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)]),
            tg.ArgumentError,
            "needs a metric",
        ),
        (lambda o: lr_scheduler.StepLR(o, 1).load_state_dict({}), tg.ArgumentError, "the state has no '_last_lr'"),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error) as caught:
        make(SGD([leaf()], 0.1))
    assert words in str(caught.value)


def test_a_cycle_has_its_steps():
    optimizer = SGD([leaf()], 0.1, momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=3)
    stepped(optimizer, scheduler, 3)
    with pytest.raises(tg.ArgumentError, match="step 4 of 3"):
        scheduler.step()
