"""Losses: beside PyTorch's in all their options, by hand, at the extremes, and what they refuse."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.ops.losses.entropies import BinaryCrossEntropy, CrossEntropy

C = 5
SHAPES = [(7, C), (C,), (3, C, 4), (2, C, 3, 4)]
REDUCTIONS = ["mean", "sum", "none"]
RNG = np.random.default_rng(0)
WEIGHT = RNG.uniform(0.2, 2, C).astype("f")


def elements(shape):
    return shape[2:] if len(shape) == 1 else (shape[0], *shape[2:]) if len(shape) > 1 else ()


def logits(shape, dtype="f"):
    return (np.random.default_rng(1).standard_normal(shape) * 3).astype(dtype)


def labels(shape):
    return np.random.default_rng(2).integers(0, C, elements(shape))


def probabilities(shape):
    p = np.random.default_rng(3).random(shape).astype("f")
    return p / p.sum(0 if len(shape) == 1 else 1, keepdims=True)


def compare(name, values, target, settings, atol=1e-6, grad_of_target=False, **weights):
    """Value and gradients of a loss beside PyTorch's, as function and as module, under a random upstream gradient."""
    torch = pytest.importorskip("torch")
    function, module = name
    x, x_ = tg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    t, t_ = tg.tensor(target), torch.tensor(target)
    if grad_of_target:
        t.requires_grad, t_.requires_grad = True, True
    theirs = {k: torch.tensor(v) for k, v in weights.items()}
    z = getattr(nn, function)(x, t, **weights, **settings)
    z_ = getattr(torch.nn.functional, function)(x_, t_, **theirs, **settings)
    np.testing.assert_allclose(z.numpy(), z_.detach().numpy(), rtol=2e-5, atol=atol)
    assert z.shape == tuple(z_.shape) and z.dtype == x.dtype
    upstream = np.random.default_rng(4).standard_normal(z.shape).astype(values.dtype)
    z.backward(upstream), z_.backward(torch.tensor(upstream))
    np.testing.assert_allclose(x.grad.numpy(), x_.grad.numpy(), rtol=1e-4, atol=atol)
    if grad_of_target:
        np.testing.assert_allclose(t.grad.numpy(), t_.grad.numpy(), rtol=1e-4, atol=atol)
    layer = getattr(nn, module)(**weights, **settings)
    np.testing.assert_array_equal(layer(x, t).numpy(), z.numpy())
    assert list(layer.state_dict()) == list(getattr(torch.nn, module)(**theirs, **settings).state_dict())


def stated_cross_entropy(x, y, weight, smoothing, ignore, reduction):
    """Σ over classes of −w · q · log p, x (N, C, ...), in NumPy: q is 1 − s + s/C for the label, s/C for the others."""
    # (N, C, ...) -> (N, ..., C)
    x = np.moveaxis(x, 1, -1)
    log_p = x - np.log(np.exp(x).sum(-1, keepdims=True))
    counts = y != ignore
    one_hot = np.eye(C)[np.where(counts, y, 0)]
    q = (1 - smoothing) * one_hot + smoothing / C
    each = -(weight * q * log_p).sum(-1) * counts
    if reduction == "none":
        return each
    return each.sum() / ((weight * one_hot).sum(-1) * counts).sum() if reduction == "mean" else each.sum()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if len(shape) > 1], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("ignore", [-100, 2])
def test_cross_entropy_is_the_stated_sum(shape, reduction, weighted, smoothing, ignore):
    """Value and gradient, under a random upstream gradient, without PyTorch: the gradient by central differences."""
    x, y = logits(shape, "d"), labels(shape)
    given = {"weight": WEIGHT.astype("d")} if weighted else {}
    tensor = tg.tensor(x, requires_grad=True)
    z = nn.cross_entropy(tensor, y, reduction=reduction, label_smoothing=smoothing, ignore_index=ignore, **given)
    options = given.get("weight", np.ones(C)), smoothing, ignore, reduction
    np.testing.assert_allclose(z.numpy(), stated_cross_entropy(x, y, *options), rtol=1e-12, atol=1e-12)
    upstream, direction = (
        np.random.default_rng(4).standard_normal(z.shape),
        np.random.default_rng(5).standard_normal(shape),
    )
    z.backward(upstream)
    above, below = (stated_cross_entropy(x + step * direction, y, *options) for step in (1e-5, -1e-5))
    slope = (upstream * (above - below)).sum() / 2e-5
    np.testing.assert_allclose((tensor.grad.numpy() * direction).sum(), slope, rtol=1e-6, atol=1e-8)


CROSS_ENTROPY, NLL = ("cross_entropy", "CrossEntropyLoss"), ("nll_loss", "NLLLoss")


@pytest.mark.oracle
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("ignore", [-100, 2])
def test_cross_entropy_of_class_indices(shape, reduction, weighted, smoothing, ignore):
    settings = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignore}
    compare(CROSS_ENTROPY, logits(shape), labels(shape), settings, **({"weight": WEIGHT} if weighted else {}))


@pytest.mark.oracle
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_of_probabilities(shape, reduction, weighted, smoothing):
    settings = {"reduction": reduction, "label_smoothing": smoothing}
    weights = {"weight": WEIGHT} if weighted else {}
    compare(CROSS_ENTROPY, logits(shape), probabilities(shape), settings, grad_of_target=True, atol=3e-6, **weights)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [-100, 2])
def test_nll(shape, reduction, weighted, ignore):
    settings = {"reduction": reduction, "ignore_index": ignore}
    compare(NLL, logits(shape), labels(shape), settings, **({"weight": WEIGHT} if weighted else {}))


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_an_ignored_label_that_is_no_class(reduction):
    target = labels((7, C))
    target[[1, 4]] = -1
    for smoothing in (0.0, 0.1):
        settings = {"reduction": reduction, "ignore_index": -1, "label_smoothing": smoothing}
        compare(CROSS_ENTROPY, logits((7, C)), target, settings, weight=WEIGHT)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    "name", [("mse_loss", "MSELoss"), ("l1_loss", "L1Loss"), ("soft_margin_loss", "SoftMarginLoss")]
)
def test_elementwise_losses(name, reduction):
    values, target = logits((4, 3)), logits((3, 4)).T.copy()
    if name[0] == "soft_margin_loss":
        target = np.sign(target)
    differentiable = name[0] != "soft_margin_loss"  # theirs isn't, for the labels
    compare(name, values, target, {"reduction": reduction}, grad_of_target=differentiable)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [None, (4, 3), (3,)])
def test_binary_cross_entropy(reduction, weighted):
    rng = np.random.default_rng(5)
    values, target = rng.random((4, 3)).astype("f"), rng.random((4, 3)).astype("f")
    weights = {} if weighted is None else {"weight": rng.random(weighted).astype("f")}
    name = "binary_cross_entropy", "BCELoss"
    compare(name, values, target, {"reduction": reduction}, grad_of_target=True, atol=1e-5, **weights)
    # Cut off at −100, with slopes of 1e12. Theirs for the target is infinite here, ours that of the cut-off logarithm.
    values[0], target[0] = [0, 1, 0], [1, 0, 0]
    compare(name, values, target, {"reduction": reduction}, atol=1e-5, **weights)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [None, (4, 3), (3,)])
@pytest.mark.parametrize("positive", [None, (3,)])
def test_binary_cross_entropy_with_logits(reduction, weighted, positive):
    rng = np.random.default_rng(6)
    values, target = logits((4, 3)), rng.random((4, 3)).astype("f")
    weights = {} if weighted is None else {"weight": rng.random(weighted).astype("f")}
    if positive:
        weights["pos_weight"] = rng.uniform(0.5, 3, positive).astype("f")
    name = "binary_cross_entropy_with_logits", "BCEWithLogitsLoss"
    compare(name, values, target, {"reduction": reduction}, grad_of_target=True, atol=2e-6, **weights)


# ------------------------------------------------------------------------------------------------------ without PyTorch


def test_cross_entropy_by_hand():
    x, y = logits((7, C), "f8"), labels((7, C))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    by_hand = -np.log(p[np.arange(7), y])
    np.testing.assert_allclose(nn.cross_entropy(x, y, reduction="none").numpy(), by_hand, rtol=1e-12)
    assert nn.cross_entropy(x, y).item() == pytest.approx(by_hand.mean(), rel=1e-12)
    shares = WEIGHT[y].astype("f8")
    weighted = nn.cross_entropy(x, y, WEIGHT).item()
    assert weighted == pytest.approx((shares * by_hand).sum() / shares.sum(), rel=1e-12)
    t = tg.tensor(x, requires_grad=True)
    nn.cross_entropy(t, y).backward()
    np.testing.assert_allclose(t.grad.numpy(), (p - np.eye(C)[y]) / 7, atol=1e-12)


def test_the_common_case_is_one_op():
    x = tg.tensor(logits((7, C)), requires_grad=True)
    z = nn.cross_entropy(x, labels((7, C)), reduction="none")
    node = z._node
    assert type(node.op) is CrossEntropy and node.edges == (x, None)


@pytest.mark.parametrize("shape", [(3, C), (C,), (2, C, 2)], ids=str)
def test_gradients_of_cross_entropy(shape):
    y = labels(shape)
    y.reshape(-1)[0] = 1
    x = logits(shape, "f8") / 3
    for reduction, weight, smoothing, ignore in itertools.product(REDUCTIONS, (None, WEIGHT), (0.0, 0.2), (-100, 1)):
        if ignore == 1 and y.size == 1:
            continue  # a mean over nothing
        settings = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignore}
        assert tg.gradcheck(lambda x, s=settings, w=weight: nn.cross_entropy(x, y, w, **s), [x])
    p = probabilities(shape).astype("f8")
    assert tg.gradcheck(lambda x, p: nn.cross_entropy(x, p, WEIGHT, label_smoothing=0.2), [x, p])


def test_gradients_of_the_other_losses():
    rng = np.random.default_rng(7)
    x, t, p = rng.standard_normal((3, 2)), rng.random((3, 2)), rng.uniform(0.1, 0.9, (3, 2))
    sign = np.where(t > 0.5, 1.0, -1.0)
    assert tg.gradcheck(lambda x: nn.nll_loss(x, np.array([1, 0, 1]), t[0]), [x])
    for reduction in REDUCTIONS:
        assert tg.gradcheck(lambda x, t, r=reduction: nn.mse_loss(x, t, reduction=r), [x, t])
        assert tg.gradcheck(lambda x, t, r=reduction: nn.l1_loss(x, t, reduction=r), [x, t])
        assert tg.gradcheck(lambda p, t, r=reduction: nn.binary_cross_entropy(p, t, t[0], reduction=r), [p, t])
        settings = {"pos_weight": t[1], "reduction": reduction}
        assert tg.gradcheck(lambda x, t, s=settings: nn.binary_cross_entropy_with_logits(x, t, **s), [x, t])
        assert tg.gradcheck(lambda x, r=reduction: nn.soft_margin_loss(x, sign, reduction=r), [x])


def test_second_derivatives_of_the_loss_ops():
    x, y = logits((C,), "f8") / 3, np.array(2)
    p = np.exp(x) / np.exp(x).sum()
    hessian = tg.hessian(lambda x: nn.cross_entropy(x, y), x)
    np.testing.assert_allclose(hessian.numpy(), np.diag(p) - np.outer(p, p), atol=1e-12)
    rng = np.random.default_rng(8)
    p, t, v = rng.uniform(0.1, 0.9, 4), rng.random(4), tg.tensor(rng.standard_normal(4))

    def slope(p, t):
        p, t = (p if p.requires_grad else p.requires_grad_()), (t if t.requires_grad else t.requires_grad_())
        with tg.enable_grad():
            dp, dt = tg.grad(nn.binary_cross_entropy(p, t, reduction="none"), [p, t], v, create_graph=True)
            return dp * dt

    assert tg.gradcheck(slope, [p, t])


def test_extreme_logits_stay_finite():
    x = tg.tensor([[1e4, -1e4, 0], [-1e4, 1e4, 0]], requires_grad=True)
    y = tg.tensor([0, 0])
    assert nn.cross_entropy(x, y, reduction="none").tolist() == [0, 2e4]
    for target, settings in ((y, {}), (y, {"label_smoothing": 0.1}), (tg.one_hot(y, 3).astype("float32"), {})):
        x.grad = None
        z = nn.cross_entropy(x, target, **settings)
        z.backward()
        assert np.isfinite(z.item()) and np.isfinite(x.grad.numpy()).all()
    logit = tg.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    for loss, target in (
        (nn.binary_cross_entropy_with_logits, [1.0, 1, 0, 0]),
        (nn.soft_margin_loss, [1.0, 1, -1, -1]),
    ):
        logit.grad = None
        z = loss(logit, tg.tensor(target), reduction="none")
        assert z.tolist() == [0, 1e4, 1e4, 0]
        z.sum().backward()
        np.testing.assert_allclose(logit.grad.numpy(), [0, -1, 1, 0], atol=1e-6)


def test_small_losses_keep_their_digits():
    x = tg.tensor([20.0, -20.0])
    expected = np.log1p(np.exp(-20.0))
    for z in (
        nn.binary_cross_entropy_with_logits(x, tg.tensor([1.0, 0.0]), reduction="none"),
        nn.soft_margin_loss(x, tg.tensor([1.0, -1.0]), reduction="none"),
    ):
        np.testing.assert_allclose(z.numpy(), expected, rtol=1e-5)


def test_soft_margin_is_binary_cross_entropy_in_other_labels():
    x = logits((6,))
    t = np.array([1, 0, 0, 1, 1, 0])
    ours, other = nn.soft_margin_loss(x, 2 * t - 1), nn.binary_cross_entropy_with_logits(x, t)
    assert ours.item() == pytest.approx(other.item(), rel=1e-6)


def test_a_float64_target_does_not_widen_the_loss():
    x, p = logits((7, C)), probabilities((7, C)).astype("f8")
    for z in (nn.cross_entropy(x, p), nn.cross_entropy(x, labels(x.shape), WEIGHT.astype("f8")), nn.mse_loss(x, p)):
        assert z.dtype == np.float32


def test_empty_batches():
    x = tg.zeros(0, C, requires_grad=True)
    nn.cross_entropy(x, np.zeros(0, int), reduction="sum").backward()
    assert x.grad.shape == (0, C) and np.isnan(nn.cross_entropy(x, np.zeros(0, int)).item())
    assert nn.mse_loss(tg.zeros(0), tg.zeros(0), reduction="sum").item() == 0


def test_an_ignored_row_may_hold_infinities():
    logs = tg.tensor([[-np.inf, 0.0], [-0.5, -1.0]], requires_grad=True)
    z = nn.nll_loss(logs, [7, 0], ignore_index=7)
    z.backward()
    assert z.item() == 0.5 and logs.grad.tolist() == [[0, 0], [-1, 0]]


def test_labels_changed_before_backward_are_noticed():
    x, y = tg.tensor(logits((7, C)), requires_grad=True), tg.tensor(labels((7, C)))
    z = nn.cross_entropy(x, y)
    y[0] = 0
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()


REFUSED = [
    (lambda: nn.cross_entropy(tg.zeros(3, C), [0, 1, C]), tg.RangeError, r"must be in \[0, 5\), got 0 to 5"),
    (lambda: nn.cross_entropy(tg.zeros(3, C), [0, -1, 1]), tg.RangeError, r"must be in \[0, 5\), got -1 to 1"),
    (lambda: nn.nll_loss(tg.zeros(3, C), [0, 1, C]), tg.RangeError, r"must be in \[0, 5\), got 0 to 5"),
    (lambda: nn.cross_entropy(tg.zeros(3, C), [0, 1]), tg.ShapeError, "shape of target doesn't match"),
    (lambda: nn.cross_entropy(tg.zeros(3, C), [[0], [1], [2]]), tg.ShapeError, "shape of target doesn't match"),
    (lambda: nn.cross_entropy(tg.zeros(3, C), [0.0, 1.0, 2.0]), tg.ShapeError, r"target\.long\(\)"),
    (lambda: nn.cross_entropy(tg.zeros(3, C), tg.zeros(3, C + 1)), tg.ShapeError, "shape of target doesn't match"),
    (
        lambda: nn.cross_entropy(tg.zeros(2, C, 3, 3), np.zeros((2, 3), int)),
        tg.ShapeError,
        "shape of target doesn't match",
    ),
    (lambda: nn.cross_entropy(tg.tensor(1.0), 0), tg.ShapeError, "shape of target doesn't match"),
    (lambda: nn.cross_entropy(tg.zeros(3, C), [True, False, True]), tg.DTypeError, "target must hold .* got bool"),
    (
        lambda: nn.cross_entropy(tg.zeros(3, C), [0, 1, 2], tg.ones(C - 1)),
        tg.ShapeError,
        "weight must have one factor per class",
    ),
    (lambda: nn.cross_entropy(tg.zeros(3, C), [0, 1, 2], reduction="average"), tg.ArgumentError, "reduction must be"),
    (lambda: nn.cross_entropy(tg.zeros(3, C), [0, 1, 2], label_smoothing=2), tg.ArgumentError, "label_smoothing"),
    (
        lambda: nn.nll_loss(tg.zeros(3, C), tg.zeros(3, C)),
        tg.DTypeError,
        "target must hold class indices, integers, got float32",
    ),
    (lambda: nn.mse_loss(tg.zeros(3, 1), tg.zeros(3)), tg.ShapeError, "reshape one of them"),
    (lambda: nn.l1_loss(tg.zeros(3), 0.0), tg.ShapeError, "must have the same shape"),
    (lambda: nn.l1_loss(tg.zeros(3), tg.zeros(3), reduction=None), tg.ArgumentError, "reduction must be"),
    (lambda: nn.binary_cross_entropy([0.5, 1.1], [0, 1]), tg.RangeError, "apply a sigmoid first"),
    (
        lambda: nn.binary_cross_entropy([0.5, np.nan], [0, 1]),
        tg.RangeError,
        r"input must hold probabilities in \[0, 1\]",
    ),
    (lambda: nn.binary_cross_entropy([0.5], [1], [[1.0]]), tg.ShapeError, "weight must broadcast to"),
    (
        lambda: nn.binary_cross_entropy_with_logits([0.5], [1], pos_weight=[1, 2]),
        tg.ShapeError,
        "pos_weight must broadcast to",
    ),
    (
        lambda: nn.binary_cross_entropy_with_logits([1.0] * 3, [1] * 3, [1, 2]),
        tg.ShapeError,
        "weight must broadcast to",
    ),
    (lambda: nn.mse_loss(tg.zeros(3), tg.zeros(3), False), tg.ArgumentError, "pass reduction='sum'"),
    (lambda: nn.L1Loss(reduce=False), tg.ArgumentError, "L1Loss: size_average and reduce are replaced by reduction"),
    (lambda: nn.mse_loss(tg.zeros(3), tg.zeros(3), weight=tg.ones(1)), tg.ShapeError, "one factor per element"),
    (lambda: nn.MSELoss(reduction="batch"), tg.ArgumentError, "MSELoss: reduction must be"),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED)
def test_what_losses_refuse(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_the_error_restates_the_call():
    with pytest.raises(IndexError) as caught:
        nn.cross_entropy(tg.zeros(2, C), [0, 9])
    assert str(caught.value) == (
        "cross_entropy: class indices must be in [0, 5), got 0 to 9\n"
        "  input: (2, 5) float32\n"
        "  target: (2,) int64\n"
        "  expected: indices of the 5 classes, or -100, which is ignored"
    )


def test_the_ops_say_what_they_compute():
    for op in (CrossEntropy, BinaryCrossEntropy):
        assert op.symbol and op.formula and len(op.derivatives) == len(op.inputs)
