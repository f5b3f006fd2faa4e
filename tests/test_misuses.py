"""What newcomers get wrong: each message names the argument and says what to do."""

import re
import warnings

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn, unknown_names

X, W = tg.ones(2, 3), tg.ones(2, 3, requires_grad=True)
IMAGES = tg.ones(2, 3, 8, 8)


def backward_twice():
    loss = (W * W).sum()
    loss.backward()
    loss.backward()


def change(x):
    x += 1


MISUSES = {
    "a name of NumPy": (lambda: tg.array([1.0]), tg.UnknownNameError, r"fix: tg.tensor\(data\)"),
    "a name of PyTorch that isn't there": (lambda: tg.fft, tg.UnknownNameError, "no complex numbers"),
    "a name misspelled": (lambda: tg.rleu(X), tg.UnknownNameError, "did you mean 'relu'"),
    "a layer misspelled": (lambda: nn.Linaer(2, 3), tg.UnknownNameError, "did you mean 'Linear'"),
    "a function misspelled": (lambda: F.cross_entrpy(X, X), tg.UnknownNameError, "did you mean 'cross_entropy'"),
    "a method of NumPy": (lambda: X.ptp(), tg.UnknownNameError, r"fix: x.max\(\) - x.min\(\)"),
    "a GPU": (lambda: X.cuda(), tg.ArgumentError, "runs on the CPU"),
    "a GPU by name": (lambda: X.to("cuda"), tg.ArgumentError, "device must be \"cpu\", got 'cuda'"),
    "a GPU at creation": (lambda: tg.zeros(2, device="cuda:0"), tg.ArgumentError, 'device must be "cpu"'),
    "NumPy's transpose": (lambda: IMAGES.transpose(0, 2, 3, 1), tg.ArgumentError, r"x.permute\("),
    "NumPy's transpose without axes": (lambda: X.transpose(), tg.ArgumentError, "x.T reverses"),
    "NumPy's maximum over axes": (lambda: X.max(axis=(0, 1)), tg.ArgumentError, r"tg.amax\(x, dim\)"),
    "two axes as two arguments": (lambda: X.sum(0, 1), tg.ArgumentError, r"one tuple, dim=\(0, 1\)"),
    "NumPy's ddof by position": (lambda: X.var(0, 1), tg.ArgumentError, "unbiased must be True or False"),
    "both spellings": (lambda: tg.sum(X, dim=0, axis=1), tg.ArgumentError, "dim and axis are the same argument"),
    "a size and a dtype": (lambda: tg.Tensor(2, "int64"), tg.ArgumentError, "pass a dtype by its name"),
    "rows without brackets": (lambda: tg.Tensor([1.0], [2.0]), tg.ArgumentError, "requires_grad must be True or False"),
    "tensors without a list": (lambda: tg.cat(X, X), tg.ArgumentError, r"tg.cat\(\[x, y\]\)"),
    "index before axis": (
        lambda: tg.gather(X, tg.tensor([[0]]), 1),
        tg.ArgumentError,
        r"tg.gather\(input, dim, index\)",
    ),
    "float classes": (lambda: F.cross_entropy(W, tg.ones(2)), tg.ShapeError, r"must be integers: target.long\(\)"),
    "classes in a column": (lambda: F.cross_entropy(W, tg.tensor([[0], [1]])), tg.ShapeError, r"target.squeeze\(1\)"),
    "one-hot integers": (lambda: F.cross_entropy(W, F.one_hot([0, 1], 3)), tg.ShapeError, r"target.float\(\)"),
    "a class too many": (lambda: F.cross_entropy(W, tg.tensor([0, 3])), tg.RangeError, r"in \[0, 3\), got 0 to 3"),
    "logits for probabilities": (lambda: F.binary_cross_entropy(W * 3, X), tg.RangeError, "apply a sigmoid first"),
    "images into a linear layer": (lambda: nn.Linear(192, 10)(IMAGES), tg.ShapeError, r"nn.Flatten\(\)"),
    "a linear layer of another size": (
        lambda: nn.Linear(4, 2)(X),
        tg.ShapeError,
        r"fix: a weight \(2, 3\), as nn.Linear\(3, 2\)",
    ),
    "backward of several": (lambda: (W * 2).backward(), tg.GraphError, r"reduce it first"),
    "backward of a constant": (lambda: X.sum().backward(), tg.GraphError, "requires_grad=True"),
    "backward twice": (backward_twice, tg.GraphError, "retain_graph=True"),
    "a leaf changed in place": (lambda: change(W), tg.GraphError, r"with tg.no_grad\(\)"),
    "NumPy on a tensor with a gradient": (lambda: np.array(W), tg.GraphError, r"t.detach\(\)"),
    "integers with a gradient": (lambda: tg.tensor([1], requires_grad=True), tg.DTypeError, "must be a float"),
    "one number of several": (lambda: X.item(), tg.ShapeError, "index or reduce it first"),
    "the truth of several": (lambda: bool(X > 0), tg.ArgumentError, r"use .any\(\) or .all\(\)"),
    "a model for its parameters": (
        lambda: nn.optim.SGD(nn.Linear(2, 2), lr=0.1),
        tg.DTypeError,
        r"model.parameters\(\)",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_the_message_says_what_to_do(name):
    call, error, words = MISUSES[name]
    with pytest.raises(error, match=words):
        call()


def test_a_softmax_before_cross_entropy_is_a_warning():
    target = tg.tensor([0, 1])
    with pytest.warns(UserWarning, match="pass the logits"):
        F.cross_entropy(tg.softmax(W, 1), target)
    with pytest.warns(UserWarning, match="use log_softmax"):
        F.nll_loss(tg.softmax(W, 1), target)
    with pytest.warns(UserWarning, match="pass the logits"):
        F.binary_cross_entropy_with_logits(tg.sigmoid(W), X)


@pytest.mark.filterwarnings("error")
def test_a_loss_as_meant_is_none():
    target = tg.tensor([0, 1])
    F.cross_entropy(W * 2, target)
    F.nll_loss(tg.log_softmax(W, 1), target)
    F.binary_cross_entropy(tg.sigmoid(W), X)


def test_softmax_without_an_axis_says_which_it_takes():
    with pytest.warns(UserWarning, match="pass dim=1 to keep this result"):
        assert tg.equal(F.softmax(X), F.softmax(X, 1))


ADVICE = {
    "tensorgrad": (tg, unknown_names.TENSORGRAD),
    "a tensor": (X, unknown_names.TENSOR),
    "nn": (nn, unknown_names.NN),
    "F": (F, unknown_names.FUNCTIONAL),
}


@pytest.mark.parametrize(("where", "table"), ADVICE.values(), ids=ADVICE)
def test_names_with_advice_are_not_there(where, table):
    """What is there needs no advice: a name that is added leaves the table."""
    assert not [name for name in table if hasattr(where, name)]
    for name, advice in table.items():
        with pytest.raises(tg.UnknownNameError, match=re.escape(advice)):
            getattr(where, name)


def test_foreign_names_of_tensors_are_neither_listed_nor_looked_up():
    """`__getattr__` would do it too, but each attribute of a tensor would take ten times as long to read."""
    assert not unknown_names.TENSOR.keys() & {*dir(X)} and "reshape" in dir(X)
    assert not hasattr(tg.Tensor, "__getattr__") and not hasattr(tg.Tensor, "ptp")


def test_a_name_misspelled_is_unknown():
    assert not hasattr(X, "raevl") and getattr(tg, "raevl", None) is None


# --------------------------------------------------------------------------------------------- a forgotten zero_grad()


def trained(steps, accumulate=1, clear=lambda w, optimizer: None, before=lambda w: None, make=None):
    """Train two weights, with so many backwards before each step; `clear` comes after a step, `before` precedes it."""
    w, b = tg.ones(4, requires_grad=True), tg.ones(1, requires_grad=True)
    optimizer = (make or nn.optim.SGD)([w, b], lr=0.1)
    for k in range(steps):
        for _ in range(accumulate):
            ((w * (k + 1.0)).sum() + b * b).sum().backward()
        before(w)
        optimizer.step()
        clear(w, optimizer)


@pytest.mark.parametrize("make", [nn.optim.SGD, nn.optim.Adam, nn.optim.Adafactor])
@pytest.mark.parametrize("before", [lambda w: None, lambda w: nn.optim.clip_grad_norm_([w], 1e-3)])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_forgotten_zero_grad_is_one_warning(make, before, accumulate):
    with pytest.warns(UserWarning, match=r"zero_grad\(\) wasn't called between two steps") as caught:
        trained(5, accumulate, before=before, make=make)
    assert len(caught) == 1 and "optimizer.zero_grad() before the backward()" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_a_forgotten_zero_grad_in_a_compiled_step_is_a_warning():
    w = tg.ones(4, requires_grad=True)
    optimizer = nn.optim.SGD([w], lr=0.1)

    @tg.compile
    def step(x):
        (w * x).sum().backward()
        optimizer.step()

    with pytest.warns(UserWarning, match="zero_grad") as caught:
        for _ in range(5):
            step(tg.ones(4))
    assert len(caught) == 1


def test_the_warning_can_be_silenced():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*zero_grad")  # as its text says
        trained(3)


def drop(w, optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = None


def set_to_zero(w, optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad.zero_()


def write_zeros(w, optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad.data[...] = 0.0


def decay(w, optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad.mul_(0.9)


CLEARED = {
    "zero_grad": lambda w, optimizer: optimizer.zero_grad(),
    "zero_grad to zeros": lambda w, optimizer: optimizer.zero_grad(set_to_none=False),
    "no gradients": drop,
    "zero_ of each": set_to_zero,
    "zeros written by NumPy": write_zeros,
    "gradients that decay": decay,
    "a step more with the same gradients": lambda w, optimizer: (optimizer.step(), optimizer.zero_grad()),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("name", CLEARED)
def test_gradients_that_are_cleared_are_no_reason_to_warn(name, accumulate):
    trained(4, accumulate, CLEARED[name])


@pytest.mark.filterwarnings("error")
def test_what_another_optimizer_has_applied_is_no_reason_to_warn():
    """A GAN's: the generator's loss adds to gradients of the discriminator, which are cleared before its next step."""
    g, d = tg.ones(3, requires_grad=True), tg.ones(3, requires_grad=True)
    of_g, of_d = nn.optim.Adam([g]), nn.optim.Adam([d])
    for _ in range(4):
        of_d.zero_grad()
        (d * g.detach()).sum().backward()
        (d * 2.0).sum().backward()
        of_d.step()
        of_g.zero_grad()
        (d * g).sum().backward()
        of_g.step()
    both = nn.optim.SGD([g, d], lr=0.1)
    for _ in range(3):  # weights that two optimizers share: each has its own steps
        both.zero_grad()
        (g * d).sum().backward()
        both.step()
        (g * 2).sum().backward()
        of_g.step()


@pytest.mark.filterwarnings("error")
def test_weights_outside_the_last_loss_are_no_reason_to_warn():
    w, v = tg.ones(3, requires_grad=True), tg.ones(3, requires_grad=True)
    optimizer = nn.optim.SGD([w, v], lr=0.1)
    (w * v).sum().backward()
    optimizer.step()
    for _ in range(3):  # the gradient of w stays, and nothing is added to it
        v.grad = None
        (v * v).sum().backward()
        optimizer.step()
