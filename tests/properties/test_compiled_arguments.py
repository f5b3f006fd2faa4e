"""Leaves as arguments of compiled steps, and every option of every loss: compiled agrees with plain to the bit."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd.backward_pass import zero_grad

pytestmark = pytest.mark.filterwarnings("ignore:compile")


def bits(tensor):
    return None if tensor is None else (tensor.dtype, tensor.shape, tensor.detach().data.tobytes())


# ----------------------------------------------------------------------------------------------------- leaves as inputs


class Leaves:
    """A parameter, an optimizer over it and another tensor, and steps on tensors that are given."""

    def __init__(self, compile):
        self.w = tg.tensor([2.0, -1.0, 0.5], requires_grad=True)
        self.v = tg.tensor([1.0, 1.5, -2.0], requires_grad=True)
        self.sgd = nn.optim.SGD([self.w, self.v], lr=0.1)
        self.leaves = [self.w, self.v, self.w.detach(), *[self.fresh(k) for k in range(3)]]
        w, sgd = self.w, self.sgd

        def plain(x, y):
            loss = (x * y * y).sum()
            loss.backward()
            return loss.detach()

        def forgets(x, y):
            x.requires_grad and zero_grad([x])
            loss = (x * y * w).sum()
            loss.backward()
            return loss.detach()

        def clips(x, y):
            loss = (x * w + y).square().sum()
            loss.backward()
            nn.optim.clip_grad_norm_([x, w], 0.5)
            return loss.detach()

        def steps(x, y):
            sgd.zero_grad()
            loss = (x * w * y).exp().sum()
            loss.backward()
            sgd.step()
            return loss.detach()

        def outside(x, y):
            return (x * w + y * x).sum()

        self.steps = [compile(function) for function in (plain, forgets, clips, steps, outside)]

    @staticmethod
    def fresh(k):
        return tg.tensor([0.25 * k, 1.0 - k, 0.5], requires_grad=k != 1)

    def state(self):
        return [bits(x) for x in self.leaves] + [bits(x.grad) for x in self.leaves]


def lived(seed, compile):
    rng, world, seen = np.random.default_rng(seed), Leaves(compile), []
    step, pair = rng.integers(len(world.steps)), (3, 5)
    for _ in range(30):
        event = rng.integers(12)
        if event == 0:
            step, pair = rng.integers(len(world.steps)), rng.integers(len(world.leaves), size=2)
        elif event == 1:
            world.leaves[3 + rng.integers(3)] = world.fresh(int(rng.integers(4)))
        elif event == 2 and (x := world.leaves[rng.integers(2)])._hooks is None:
            handle = x.register_hook(lambda g: g * 2)
            handle.remove() if rng.random() < 0.7 else None
        elif event < 5:
            pair = 3 + rng.integers(3, size=2)
        if rng.random() < 0.9:
            zero_grad(world.leaves)
        x, y = (world.leaves[k] for k in pair)
        y = x if rng.random() < 0.1 else y
        try:
            z = world.steps[step](x, y)
            if z.requires_grad:
                (z * 1.5).backward()
            seen.append(bits(z))
        except tg.TensorgradError as error:
            seen.append((type(error), str(error)))
        seen.append(world.state())
    return seen, world


@pytest.mark.seeds(25)
def test_gradients_land_in_the_tensors_of_the_call(seed):
    expected, _ = lived(seed, lambda function: function)
    found, _ = lived(seed, tg.compile)
    assert found == expected


def test_a_fresh_leaf_per_call():
    step = tg.compile(lambda x: [(loss := (x * x).sum()).backward(), loss.detach()][1])
    kept = [tg.tensor([1.0, 2.0, float(k)], requires_grad=True) for k in range(6)]
    for x in kept:
        step(x)
    assert [x.grad.tolist() for x in kept] == [[2.0, 4.0, 2.0 * k] for k in range(6)]
    assert (step.replays, step.problems) == (4, [])


def test_arguments_that_the_function_changes():
    def function(x, kept):
        kept.append(1)
        return x * len(kept)

    compiled, kept = tg.compile(function), []
    assert [compiled(tg.ones(1), kept[:]).item() for _ in range(4)] == [1.0] * 4
    assert [compiled(tg.ones(1), kept).item() for _ in range(4)] == [1.0, 2.0, 3.0, 4.0] and len(kept) == 4
    assert compiled.replays == 0 and "it changes its arguments" in compiled.problems[0]


# ------------------------------------------------------------------------------------------------------ losses, indices

CLASSES = tg.tensor([0.5, 1.0, 2.0, 0.1])
LABELLED = [
    (loss, options)
    for loss in (nn.nll_loss, nn.cross_entropy)
    for weight, ignored, reduction, smooth in itertools.product(
        (None, CLASSES, CLASSES.data.copy()), (-100, 2), ("mean", "sum", "none"), (0.0, 0.1)
    )
    if loss is nn.cross_entropy or not smooth
    for options in [
        {"weight": weight, "ignore_index": ignored, "reduction": reduction}
        | ({"label_smoothing": smooth} if smooth else {})
    ]
]
ELEMENTWISE = [
    (loss, {"reduction": reduction} | ({} if weight is None else {"weight": weight}))
    for loss in (
        nn.mse_loss,
        nn.l1_loss,
        nn.binary_cross_entropy,
        nn.binary_cross_entropy_with_logits,
        nn.soft_margin_loss,
    )
    for reduction in ("mean", "sum", "none")
    for weight in (None, CLASSES)
    if weight is None or "binary" in loss.__name__
] + [(nn.binary_cross_entropy_with_logits, {"pos_weight": CLASSES}), (nn.cross_entropy, {})]


def agree(function, make, calls=5):
    """Calls of the function and of the compiled one on the same numbers give the same bits and gradients."""
    compiled, rng = tg.compile(function), np.random.default_rng(0)
    for _ in range(calls):
        arrays = make(rng)
        upstream, seen = None, []
        for f in (function, compiled):
            xs = [tg.Tensor(a.copy(), requires_grad=k == 0) for k, a in enumerate(arrays)]
            z = f(*xs)
            upstream = rng.standard_normal(z.shape).astype(z.dtype) if upstream is None else upstream
            z.backward(upstream)
            seen.append((bits(z), bits(xs[0].grad)))
        assert seen[0] == seen[1]
    return compiled


@pytest.mark.parametrize(("loss", "options"), LABELLED)
def test_losses_of_labels_are_followed(loss, options):
    labels = (0, 1, 3) if options["ignore_index"] == -100 else (0, 1, 2, 3)

    def make(rng):
        return rng.standard_normal((9, 4)).astype(np.float32), rng.permutation(np.tile(labels, 9)[:9])

    compiled = agree(lambda x, y: loss(x, y, **options), make)
    assert (compiled.replays, compiled.problems) == (3, [])


@pytest.mark.parametrize(("loss", "options"), ELEMENTWISE)
def test_losses_of_values_are_followed(loss, options):
    def make(rng):
        signs = rng.choice([-1.0, 1.0], (3, 4)) if loss is nn.soft_margin_loss else rng.uniform(0.1, 0.9, (3, 4))
        return rng.uniform(0.1, 0.9, (3, 4)).astype(np.float32), signs.astype(np.float32)

    compiled = agree(lambda x, y: loss(x, y, **options), make)
    assert (compiled.replays, compiled.problems) == (3, [])


def assigned(x, k):
    z = x * 1.0
    z[k] = x[0] * 2
    return z


INDEXED = {
    "a tensor": lambda x, k: x[k],
    "a tensor beside a range": lambda x, k: x[tg.arange(4), k],
    "an array made inside": lambda x, k: x[np.arange(3) % 2] * tg.tensor(np.arange(4) / 2),
    "where it is largest": lambda x, k: x[np.arange(6), x.argmax(1)],
    "a list and a slice": lambda x, k: x[[0, 2, 2], 1:],
    "a mask made inside": lambda x, k: x[np.arange(6) > 2],
    "gather": lambda x, k: tg.gather(x, 0, k.reshape(1, 4)),
    "assignment": assigned,
    "one-hot": lambda x, k: x[0] * tg.one_hot(k, 4).astype("float32"),
    "a copy of a tensor": lambda x, k: x * tg.tensor(x * 2),
    "a condition": lambda x, k: tg.where(x > 0, x, np.float32([1, 2, 3, 4])),
}


@pytest.mark.parametrize("name", INDEXED)
def test_indices_are_followed(name):
    def make(rng):
        return rng.standard_normal((6, 4)).astype(np.float32), rng.permutation(4)

    compiled = agree(INDEXED[name], make)
    assert (compiled.replays, compiled.problems) == (3, [])


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x, k: x[x > 0], "how many elements a mask selects"),
        (lambda x, k: x * np.ptp(x.detach()), "np.ptp of a tensor"),
        (lambda x, k: x * np.nextafter(x.detach(), 2), "np.nextafter of a tensor"),
        (lambda x, k: x * float(k.sum()), "item()"),
    ],
)
def test_what_depends_on_values_says_so(function, reason):
    compiled = agree(function, lambda rng: (rng.standard_normal((6, 4)).astype(np.float32), rng.permutation(4)))
    assert compiled.replays == 0 and reason in compiled.problems[0]
