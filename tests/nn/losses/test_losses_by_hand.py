"""Losses without PyTorch: by hand, compiled, and what they refuse."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F
from tensorgrad.nn.losses.embeddings import p_norm

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((2, 3, 4)).astype("f")
LABELS = np.array([0, 3, 1])
WEIGHT = tg.tensor([0.5, 1.0, 0.0, 2.0])
SIGNS = np.array([1.0, -1.0, 1.0], "f")
SPEECH = RNG.standard_normal((5, 3, 4)).astype("f")
TARGETS, LENGTHS, SIZES = np.array([[1, 1], [2, 3], [3, 0]]), np.array([5, 4, 5]), np.array([2, 2, 1])


def test_by_hand():
    assert F.huber_loss([3.0], [0.0], delta=2.0).item() == 2 * (3 - 1)
    assert F.smooth_l1_loss([3.0], [0.0], beta=2.0).item() == 3 - 1
    assert F.kl_div(np.log([0.25, 0.75]), [0.5, 0.5], reduction="sum").item() == pytest.approx(
        0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    )
    assert F.hinge_embedding_loss([0.25, 0.25, 2.0], [1, -1, -1], reduction="none").tolist() == [0.25, 0.75, 0]
    assert F.margin_ranking_loss([1.0], [3.0], [1], margin=0.5).item() == 2.5
    assert F.multi_margin_loss([[1.0, 2.0, 0.0]], [0], p=2).item() == pytest.approx(4 / 3)
    assert F.multilabel_margin_loss([[0.5, 0.0, 0.0]], [[0, -1, 2]]).item() == pytest.approx(1 / 3)
    assert F.poisson_nll_loss([2.0], [3.0], log_input=False, eps=0).item() == pytest.approx(2 - 3 * math.log(2))
    assert F.gaussian_nll_loss([1.0], [3.0], 4.0).item() == pytest.approx(0.5 * (math.log(4) + 1))
    assert F.soft_margin_loss([0.0], [0.3]).item() == pytest.approx(math.log(2))


T = tg.tensor
END_TO_END = np.array([1, 1, 2, 3, 3])
COMPILED = {
    "smooth_l1": lambda x, y, _: F.smooth_l1_loss(x, y, beta=0.5),
    "huber": lambda x, y, _: F.huber_loss(x, y, delta=0.5),
    "kl_div": lambda x, y, _: F.kl_div(x.log_softmax(-1), y.softmax(-1), reduction="batchmean"),
    "poisson": lambda x, y, _: F.poisson_nll_loss(x, y.abs() * 3, full=True),
    "gaussian": lambda x, y, _: F.gaussian_nll_loss(x, y, y * y, eps=0.1),
    "margin_ranking": (lambda x, y, t: F.margin_ranking_loss(x, y, t, margin=0.1), T(np.sign(Y))),
    "hinge_embedding": (lambda x, y, t: F.hinge_embedding_loss(x - y, t), T(np.sign(Y))),
    "triplet": lambda x, y, _: F.triplet_margin_loss(x, y, y * x, p=3, swap=True),
    "triplet_inf": lambda x, y, _: F.triplet_margin_loss(x, y, y * x, p=math.inf),
    "cosine_embedding": (lambda x, y, t: F.cosine_embedding_loss(x, y, t, margin=-0.1), T(SIGNS)),
    "multi_margin": (lambda x, y, t: F.multi_margin_loss(x - y, t, 2, weight=WEIGHT), T(LABELS)),
    "multilabel_margin": (lambda x, y, t: F.multilabel_margin_loss(x - y, t), T([[1, 2, -1, 0]] * 3)),
    "multilabel_soft_margin": lambda x, y, _: F.multilabel_soft_margin_loss(x, y.sigmoid()),
    "ctc": (
        lambda x, y, t: F.ctc_loss(t[0] + (x - y), *t[1:], zero_infinity=True),
        [T(SPEECH), T(TARGETS), T(LENGTHS), T(SIZES)],
    ),
    "ctc_end_to_end": (
        lambda x, y, t: F.ctc_loss(t[0] + x * y, *t[1:]),
        [T(SPEECH), T(END_TO_END), T(LENGTHS), T(SIZES)],
    ),
}


@pytest.mark.parametrize("loss", COMPILED.values(), ids=COMPILED)
def test_compiled_losses_are_the_same_to_the_bit(loss):
    loss, target = loss if isinstance(loss, tuple) else (loss, None)
    compiled, results = tg.compile(loss), []
    for scale in (1.0, 0.7, 1.3, 0.9, 1.1):
        for function in (compiled, loss):
            x, y = (T(a, requires_grad=True) for a in (X * np.float32(scale), Y / np.float32(scale)))
            z = function(x, y, target)
            z.backward()
            results.append([z.data, x.grad.data, y.grad.data])
    for ours, plain in zip(results[::2], results[1::2], strict=True):
        for one, other in zip(ours, plain, strict=True):
            np.testing.assert_array_equal(one, other)
    assert compiled.replays > 0


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 0.5, math.inf, -math.inf, 0.0])
def test_norms(p):
    x = np.array([[3.0, -4.0, 0.5], [1.0, 2.0, -2.5]])
    np.testing.assert_allclose(p_norm(tg.tensor(x), p).data, np.linalg.norm(x, p, axis=1), rtol=1e-12)
    if p:
        assert tg.gradcheck(lambda x: p_norm(x, p), [x])


def test_the_gradient_of_a_norm_at_zero_is_zero():
    for p in (1.0, 2.0, 3.0, 0.5):
        x = tg.zeros(2, 3, requires_grad=True)
        p_norm(x, p).sum().backward()
        assert not x.grad.data.any()


def test_the_largest_of_several_share_the_gradient():
    x = tg.tensor([[2.0, -2.0, 1.0]], requires_grad=True)
    p_norm(x, math.inf).sum().backward()
    assert x.grad.tolist() == [[0.5, -0.5, 0]]


def test_a_target_that_no_alignment_spells():
    x = tg.tensor(SPEECH[:2], requires_grad=True)
    given = TARGETS, [2, 2, 2], SIZES
    assert F.ctc_loss(x, *given, reduction="none").tolist()[0] == math.inf  # "11" needs a blank between
    z = F.ctc_loss(x, *given, reduction="none", zero_infinity=True)
    z.sum().backward()
    assert z.tolist()[0] == 0 and not x.grad.data[:, 0].any() and x.grad.data[:, 1].any()


def test_empty_targets_and_inputs():
    x = tg.log_softmax(tg.tensor(SPEECH), -1)
    z = F.ctc_loss(x, np.zeros((3, 0), int), [5, 1, 0], [0, 0, 0], reduction="none")
    np.testing.assert_allclose(z.data, [-x.data[:5, 0, 0].sum(), -x.data[0, 1, 0], 0], rtol=1e-6)


def test_second_derivatives_of_ctc():
    x = SPEECH[:, :, :].astype("d")
    given = tg.tensor(TARGETS), tg.tensor(LENGTHS), tg.tensor(SIZES)

    def slope(x):
        x = x if x.requires_grad else x.requires_grad_()
        with tg.enable_grad():
            return tg.grad(F.ctc_loss(x, *given), [x], create_graph=True)[0]

    assert tg.gradcheck(slope, [x])


REFUSED = [
    (lambda: F.smooth_l1_loss(X, Y, beta=-1), tg.ArgumentError, "beta must be ≥ 0, got -1"),
    (lambda: F.huber_loss(X, Y, delta=0), tg.ArgumentError, "delta must be > 0, got 0"),
    (lambda: F.huber_loss(X, Y[0]), tg.ShapeError, "must have the same shape"),
    (lambda: F.kl_div(X, Y[:2]), tg.ShapeError, "the shapes don't broadcast"),
    (lambda: F.kl_div(X, Y, reduction="batch"), tg.ArgumentError, '"batchmean", "mean", "sum" or "none"'),
    (lambda: F.mse_loss(X, Y, reduction="batchmean"), tg.ArgumentError, "reduction must be"),
    (lambda: F.poisson_nll_loss(X, Y, True, False, True), tg.ArgumentError, "pass reduction='mean'"),
    (lambda: F.gaussian_nll_loss(X, Y, -np.ones(())), tg.RangeError, "variances must be ≥ 0"),
    (lambda: F.gaussian_nll_loss(X, Y, np.ones(4)), tg.ShapeError, "var must be a number, or"),
    (lambda: F.gaussian_nll_loss(X, Y, np.ones((1, 1))), tg.ShapeError, "var must be a number, or"),
    (lambda: F.gaussian_nll_loss(X, Y, np.ones(()), eps=0), tg.ArgumentError, "eps must be > 0, got 0"),
    (lambda: F.margin_ranking_loss(X, Y[0], X), tg.ShapeError, "as many axes"),
    (lambda: F.triplet_margin_loss(X, Y, X[0]), tg.ShapeError, "as many axes"),
    (lambda: F.triplet_margin_loss(X, Y, X, margin=0), tg.ArgumentError, "margin must be > 0, got 0"),
    (lambda: F.triplet_margin_with_distance_loss(X, Y, X, margin=-1), tg.ArgumentError, "margin must be > 0, got -1"),
    (lambda: F.cosine_embedding_loss(X, Y, SIGNS[:, None]), tg.ShapeError, "target doesn't match the inputs"),
    (lambda: F.cosine_embedding_loss(X, Y[:, :3], SIGNS), tg.ShapeError, "the shapes don't broadcast"),
    (lambda: F.multi_margin_loss(X, [0, 1, 4]), tg.RangeError, r"class indices must be in \[0, 4\)"),
    (lambda: F.multi_margin_loss(X, [0, -1, 1]), tg.RangeError, r"class indices must be in \[0, 4\)"),
    (lambda: F.multi_margin_loss(X, LABELS, p=3), tg.ArgumentError, "p must be 1 or 2, got 3"),
    (lambda: F.multi_margin_loss(X, SIGNS), tg.DTypeError, r"target\.astype\('int64'\)"),
    (lambda: F.multi_margin_loss(X, LABELS[:2]), tg.ShapeError, "target doesn't match input"),
    (lambda: F.multi_margin_loss(X, LABELS, weight=[1.0]), tg.ShapeError, "one factor per class"),
    (lambda: F.multilabel_margin_loss(X, LABELS), tg.ShapeError, "target doesn't match input"),
    (lambda: F.multilabel_margin_loss(X, np.full((3, 4), 4)), tg.RangeError, r"in \[0, 4\), or −1"),
    (lambda: F.multilabel_soft_margin_loss(1.0, 1.0), tg.ShapeError, "an axis of classes"),
    (lambda: F.ctc_loss(X[0], TARGETS, 3, 1), tg.ShapeError, r"log_probs must be \(T, N, C\)"),
    (lambda: F.ctc_loss(SPEECH, TARGETS, LENGTHS, SIZES, blank=4), tg.RangeError, r"blank must be in \[0, 4\), got 4"),
    (lambda: F.ctc_loss(SPEECH, TARGETS, LENGTHS + 1, SIZES), tg.RangeError, r"lengths must be in \[0, 5\]"),
    (lambda: F.ctc_loss(SPEECH, TARGETS, LENGTHS, SIZES + 1), tg.RangeError, r"in \[0, 2\] for targets"),
    (lambda: F.ctc_loss(SPEECH, TARGETS + 1, LENGTHS, SIZES), tg.RangeError, r"class indices must be in \[0, 4\)"),
    (lambda: F.ctc_loss(SPEECH, TARGETS * 1.0, LENGTHS, SIZES), tg.DTypeError, "targets must hold class indices"),
    (lambda: F.ctc_loss(SPEECH, TARGETS, LENGTHS * 1.0, SIZES), tg.DTypeError, "input_lengths must hold integers"),
    (lambda: F.ctc_loss(SPEECH, TARGETS, LENGTHS[:2], SIZES), tg.ShapeError, "one length per sequence"),
    (lambda: F.ctc_loss(SPEECH, [1, 2, 3], LENGTHS, SIZES), tg.ShapeError, "as many classes as target_lengths"),
    (lambda: nn.KLDivLoss(True), tg.ArgumentError, "KLDivLoss: size_average and reduce are replaced"),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED)
def test_what_losses_refuse(make, error, text):
    with pytest.raises(error, match=text):
        make()
