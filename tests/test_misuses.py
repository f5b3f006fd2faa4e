"""What newcomers get wrong: each message names the argument and says what to do."""

import re

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
    "sizes for Tensor": (lambda: tg.Tensor(2, 3), tg.ArgumentError, r"tg.zeros\(2, 3\) makes"),
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


def test_a_name_misspelled_is_unknown():
    assert not hasattr(X, "raevl") and getattr(tg, "raevl", None) is None
