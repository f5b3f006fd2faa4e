"""What a compiled function must not replay: values that Python reads, state that ops don't record, bad calls."""

import numpy as np
import pytest
from compiling import weight

import tensorgrad as tg
from tensorgrad import nn

pytestmark = pytest.mark.filterwarnings("error")


class Keeper:
    kept = None


def looks(w, x):
    return (w * x).sum() if x.sum().item() > 0 else (w + x).sum()


def branches(w, x):
    return (w * x).sum() if (x > 0).all() else (w + x).sum()


def sees(w, x):
    return w.sum() * float(np.asarray(x).max())


def keeps(w, x):
    Keeper.kept = w * x
    return Keeper.kept.sum()


def makes(w, x):
    return (w * tg.as_tensor(np.random.default_rng().standard_normal(2).astype(np.float32)) * x).sum()


def differentiates(w, x):
    (g,) = tg.grad((w * x).sum(), w)
    return (g * w).sum()


def assigns(w, x):
    with tg.no_grad():
        w[0] = 1.0
    return (w * x).sum()


def hooks(w, x):
    y = w * x
    y.register_hook(lambda g: g * 2)
    return y.sum()


NUMBERS = iter(range(100))


def counts(w, x):
    return (w * x).sum() * next(NUMBERS)


def returns(w, x):
    return (w * x).sum(), 0.5


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (looks, "item()"),
        (branches, "bool"),
        (sees, "numpy()"),
        (keeps, "kept somewhere"),
        (differentiates, "gradients are taken inside"),
        (assigns, "assignment in place of w"),
        (hooks, "hook"),
        (returns, "float"),
    ],
)
def test_what_ops_dont_record_is_not_replayed(function, reason):
    w = weight()
    compiled = tg.compile(lambda x: function(w, x))
    x = tg.tensor([1.0, 2.0])
    with pytest.warns(RuntimeWarning, match="runs op by op") as told:
        for _ in range(5):
            compiled(x)
    assert len(told) == 1 and reason in str(told[0].message)
    assert compiled.replays == 0 and reason in compiled.problems[0]


def test_an_optimizer_belongs_outside():
    w = weight()
    sgd = nn.optim.SGD([w], lr=0.1)

    def step(x):
        sgd.step()
        return (w * x).sum()

    with pytest.warns(RuntimeWarning, match=r"SGD.step\(\)"):
        tg.compile(step)(tg.tensor([1.0, 2.0]))


@pytest.mark.parametrize(("function", "reason"), [(makes, "draws random numbers"), (counts, "range_iterator")])
def test_what_differs_from_call_to_call_is_not_replayed(function, reason):
    w = weight()
    compiled = tg.compile(lambda x: function(w, x))
    with pytest.warns(RuntimeWarning, match=reason):
        results = [compiled(tg.tensor([1.0, 2.0])).item() for _ in range(12)]
    assert compiled.replays == 0 and len(set(results)) == 12


def test_two_inputs_of_one_array_are_not_mixed_up():
    compiled = tg.compile(lambda x, y: (x * 2 + y).sum())
    for k in range(4):
        x = tg.tensor([float(k)])
        assert compiled(x, x).item() == compiled(x, x.detach()).item() == 3 * k
        assert compiled(x, tg.tensor([5.0])).item() == 2 * k + 5
    assert compiled.replays == 6


def test_an_input_that_is_a_parameter_too_is_not_mixed_up():
    w = weight()
    compiled = tg.compile(lambda x: (x * w).sum())
    with pytest.warns(RuntimeWarning, match="knows by itself"):
        compiled(w.detach())
    for x in ([1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0]):
        assert compiled(tg.tensor(x)).item() == x[0] * 2 - 3


def test_a_bad_label_is_refused_as_ever():
    compiled = tg.compile(nn.cross_entropy)
    x = tg.zeros(2, 3, requires_grad=True)
    for _ in range(3):
        compiled(x, np.array([0, 2]))
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(tg.RangeError, match="class indices must be in"):
            compiled(x, np.array(labels))


def test_labels_to_ignore_may_come_later():
    x = tg.tensor([[1.0, 2.0, 3.0], [0.0, 5.0, 1.0]])
    for ignored in (-100, 0):
        compiled = tg.compile(lambda x, y, ignored=ignored: nn.cross_entropy(x, y, ignore_index=ignored))
        for labels in ([1, 2], [2, 1], [1, 1], [1, ignored], [ignored, 2], [2, 2]):
            expected = nn.cross_entropy(x, np.array(labels), ignore_index=ignored)
            assert compiled(x, np.array(labels)).item() == expected.item()
        assert compiled.replays == 2


def test_a_condition_that_turns_out_otherwise_ends_the_replay():
    compiled = tg.compile(nn.binary_cross_entropy)
    half, one = tg.tensor([0.5]), tg.tensor([1.0])
    for _ in range(3):
        compiled(half, one)
    with pytest.raises(tg.RangeError, match="must hold probabilities"):
        compiled(tg.tensor([1.5]), one)
    assert compiled.replays == 1
