"""Schedules: their formulas, their reprs, and PyTorch's schedulers."""

import math
import pickle

import pytest

from tensorgrad.errors import ArgumentError
from tensorgrad.nn import Parameter
from tensorgrad.nn.optim import Adam, constant, cosine, exponential, join, step_decay, warm_up

ADAM = Adam([Parameter([1.0])])
ALL = [
    constant(0.1),
    step_decay(0.1, every=3, gamma=0.5),
    exponential(0.1, gamma=0.9),
    cosine(0.1, steps=8, minimum=0.01),
    warm_up(cosine(0.1, steps=8), steps=4),
    join([constant(0.1), exponential(0.05, 0.5)], [4]),
]


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_a_schedule_can_be_printed_compared_and_pickled(schedule):
    assert eval(repr(schedule)) == schedule == pickle.loads(pickle.dumps(schedule))
    assert all(isinstance(schedule(t), float) and schedule(t) >= 0 for t in range(30))


def test_cosine_ends_at_its_minimum():
    schedule = cosine(1.0, steps=10, minimum=0.2)
    assert schedule(0) == 1.0 and schedule(5) == pytest.approx(0.6) and schedule(10) == schedule(1000) == 0.2


def test_warm_up_rises_in_equal_steps_to_the_schedule_itself():
    schedule = warm_up(cosine(1.0, 10), steps=4)
    rises = [schedule(t + 1) - schedule(t) for t in range(4)]
    assert rises == pytest.approx([0.2] * 4) and schedule(4) == 1.0 and schedule(9) == cosine(1.0, 10)(5)


def test_join_counts_from_each_boundary():
    schedule = join([constant(3.0), exponential(2.0, 0.5), step_decay(1.0, 1, 0.5)], [2, 4])
    assert [schedule(t) for t in range(7)] == [3, 3, 2, 1, 1, 0.5, 0.25]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: constant(-1), "lr: -1"),
        (lambda: constant(math.nan), "lr: nan"),
        (lambda: step_decay(0.1, every=0), "every: 0"),
        (lambda: step_decay(0.1, every=2, gamma=-1), "gamma: -1"),
        (lambda: cosine(0.1, steps=2.5), "steps: 2.5"),
        (lambda: cosine(0.1, steps=2, minimum="low"), "minimum: 'low'"),
        (lambda: warm_up(constant(1), -1), "steps: -1"),
        (lambda: cosine(1.0, steps=0), "steps: 0"),
        (lambda: join([constant(1)], [3]), "boundaries"),
        (lambda: warm_up(ADAM, steps=5), "a function step -> lr"),
        (lambda: warm_up(0.1, steps=5), "constant(0.1)"),
        (lambda: join([constant(1), ADAM], [3]), "a function step -> lr"),
        (lambda: join(ADAM, [3]), "a function step -> lr"),
        (lambda: cosine(ADAM, steps=5), "lr: Adam"),
        (lambda: join([constant(1)] * 3, [4, 4]), "boundaries"),
    ],
)
def test_errors(make, words):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (step_decay(0.1, 3, 0.5), lambda s, o: s.StepLR(o, 3, 0.5)),
        (exponential(0.1, 0.9), lambda s, o: s.ExponentialLR(o, 0.9)),
        (cosine(0.1, 20, 0.01), lambda s, o: s.CosineAnnealingLR(o, 20, 0.01)),
        (warm_up(constant(0.1), 4), lambda s, o: s.LinearLR(o, 1 / 5, total_iters=4)),
        (
            join([constant(0.1), step_decay(0.1, 2, 0.5), exponential(0.1, 0.9)], [5, 12]),
            lambda s, o: s.SequentialLR(
                o, [s.ConstantLR(o, 1.0), s.StepLR(o, 2, 0.5), s.ExponentialLR(o, 0.9)], [5, 12]
            ),
        ),
    ],
    ids=["step", "exponential", "cosine", "warm_up", "join"],
)
@pytest.mark.filterwarnings("ignore")
def test_as_pytorch(ours, theirs):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = theirs(torch.optim.lr_scheduler, optimizer)
    for step in range(20):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), step
        optimizer.step()
        scheduler.step()
