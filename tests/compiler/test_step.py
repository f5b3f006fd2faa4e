"""Compiled training steps: the walk back and the optimizer inside, against the same steps run op by op."""

import numpy as np
import pytest
from compiling import NETWORKS, assert_same, numbers, ready_made, weight
from training_steps import ORDERS, adds_up, begins, goes_back_twice, momentum, stepping, zeros

import tensorgrad as tg
from tensorgrad import nn

# Some steps let gradients add up on purpose.
pytestmark = pytest.mark.filterwarnings("error", "ignore:.*zero_grad")


def trained(network, how, compile, optimizer=momentum, steps=6, batch=3):
    """What the steps return, and after each of them the gradients; then the weights, and the compiled step."""
    make, shape, classes = NETWORKS[network]
    tg.manual_seed(0)
    model, rng, seen = make(), np.random.default_rng(1), []
    rule = optimizer(model.parameters())
    step = compile(lambda x, y: how(rule, lambda: nn.cross_entropy(model(x), y)))
    for _ in range(steps):
        x, y = rng.standard_normal((batch, *shape)).astype(np.float32), rng.integers(0, classes, batch)
        seen.append([numbers(step(x, y)), *(numbers(p.grad) for p in model.parameters())])
    return seen, [numbers(t) for t in model.state_dict().values()], step


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("how", ORDERS)
def test_steps_give_the_same_bits(network, how, threads):
    seen, state, _ = trained(network, how, lambda f: f)
    compiled_seen, compiled_state, step = trained(network, how, tg.compile)
    # Where gradients stay, the second call finds some and does something else than the first.
    assert (step.replays, step.problems) == (3 if how in (adds_up, zeros) else 4, [])
    assert_same(compiled_seen, seen)
    assert_same(compiled_state, state)


@pytest.mark.parametrize("rule", [nn.optim.Adam, nn.optim.RMSprop])
def test_every_optimizer_steps_inside(rule):
    def optimizer(parameters):
        return rule(parameters, lr=0.01)

    expected = trained("mixed", begins, lambda f: f, optimizer)
    found = trained("mixed", begins, tg.compile, optimizer)
    assert found[2].replays == 4
    assert_same(found[:2], expected[:2])


def test_two_walks_in_one_step():
    expected = trained("sigmoids", goes_back_twice, lambda f: f)

    def detached(optimizer, loss):
        return goes_back_twice(optimizer, loss).detach()

    for step in (goes_back_twice, detached):
        found = trained("sigmoids", step, tg.compile)
        assert found[2].replays == 4
        assert_same(found[:2], expected[:2])


def test_a_tensor_that_can_still_be_gone_back_through_is_not_returned_after_backward():
    w, x = weight(), tg.ones(2)

    def step(x):
        (w * x).exp().sum().backward()
        return (w * 2.0).sum()

    step = tg.compile(step)
    with pytest.warns(RuntimeWarning, match="requires a gradient after backward"):
        results = [step(x) for _ in range(4)]
    w.grad = None
    results[-1].backward()
    assert step.replays == 0 and w.grad.tolist() == [2.0, 2.0]


def test_kernels_join_what_they_join_in_a_walk_from_outside():
    *_, step = trained("LeNet-5", begins, tg.compile)
    assert step.source.count(" = run_relu") == 2 and step.source.count("run_linear_gradients") == 3
    assert step.source.count(" = run_gradients") == 1 and step.source.count(" = run_grad_weight") == 1


def test_what_is_returned_was_gone_back_through():
    w = weight()
    step = ready_made(stepping(w, momentum([w])), tg.ones(2))
    loss = step(tg.ones(2))
    assert step.replays == 1 and loss.requires_grad
    with pytest.raises(tg.GraphError, match="freed"):
        loss.backward()
    with pytest.raises(tg.GraphError, match="freed"):
        (loss * 2).backward()


@pytest.mark.parametrize("leaf", ["argument", "parameter"])
def test_a_gradient_of_what_was_gone_back_through_is_refused_not_none(leaf):
    w, other = weight(), weight()

    def step(x):
        loss = ((x if leaf == "argument" else w) * 2.0).sum()
        loss.backward()
        return loss

    compiled = tg.compile(step)
    for function in (step, *[compiled] * 5):
        x, w.grad = tg.ones(2, requires_grad=True), None
        loss = function(x)
        below, unused = (x, w) if leaf == "argument" else (w, x)
        with pytest.raises(tg.GraphError, match="freed"):
            tg.grad(loss, [below], allow_unused=True)
        assert tg.grad(loss, [unused, other], allow_unused=True) == (None, None)
    assert compiled.replays == 3


@pytest.mark.parametrize("view", [lambda y: y.view(3, -1), lambda y: y.permute(1, 0), lambda y: y[:, 1:].unsqueeze(0)])
def test_a_view_of_what_was_gone_back_through_is_returned(view):
    """A view keeps nothing that backward could free, but what it is a view of does."""
    rng = np.random.default_rng(4)
    start, xs = rng.standard_normal((4, 6)), [tg.tensor(rng.standard_normal((3, 4))) for _ in range(5)]

    def run(ready):
        w = tg.tensor(start, requires_grad=True)
        sgd = momentum([w])

        def step(x):
            sgd.zero_grad()
            logits = view((x @ w).exp())
            loss = (logits * logits).mean()
            loss.backward()
            sgd.step()
            return loss, logits

        step = ready(step)
        results = [step(x) for x in xs]
        for _, logits in results:
            assert logits.requires_grad
            with pytest.raises(tg.GraphError, match="freed"):
                logits.sum().backward()
        return [[numbers(z) for z in pair] for pair in results], numbers(w), step

    expected, w, _ = run(lambda step: step)
    found, own, step = run(tg.compile)
    assert step.replays == 3
    assert_same(found, expected)
    assert_same(own, w)


@pytest.mark.parametrize("network", ["LeNet-5", "mixed"])
def test_the_norm_that_clipping_measures_is_returned(network):
    """As training loops log it; with dropout or without, captured or not."""
    make, shape, classes = NETWORKS[network]

    def run(ready):
        tg.manual_seed(0)
        rng, model = np.random.default_rng(0), make()
        adam = tg.optim.Adam(model.parameters(), lr=0.01)

        def step(x, y):
            adam.zero_grad()
            logits = model(x)
            loss = nn.cross_entropy(logits, y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.05)
            adam.step()
            return loss, norm, logits, norm.detach()

        step = ready(step)
        found = []
        for _ in range(6):
            x = tg.tensor(rng.standard_normal((3, *shape)).astype(np.float32))
            found.append([numbers(z) for z in step(x, tg.tensor(rng.integers(0, classes, 3)))])
        return found, [numbers(p) for p in model.parameters()], step

    found, expected = run(tg.compile), run(lambda step: step)
    assert found[2].replays == 4 and not found[2].problems
    assert_same(found[:2], expected[:2])
    assert len({float(norm) for _, norm, *_ in found[0]}) == 6


@pytest.mark.parametrize("axes", [1, 2])
def test_a_number_is_assigned_by_a_mask(axes):
    """The shape of what is written doesn't depend on the mask's values: `h[h < 0] = 0` is replayed."""
    start, xs = np.random.default_rng(5).standard_normal((4, 6)), np.random.default_rng(6).standard_normal((5, 3, 4))

    def run(ready):
        w = tg.tensor(start, requires_grad=True)
        sgd = momentum([w])

        def step(x):
            sgd.zero_grad()
            h = x @ w
            mask = h < 0 if axes == 2 else h.sum(1) > 0
            h[mask] = 0.25
            loss = (h * h * h).sum()
            loss.backward()
            nn.utils.clip_grad_norm_([w], 1.0)
            sgd.step()
            return loss, h.detach()

        step = ready(step)
        return [[numbers(z) for z in step(tg.tensor(x))] for x in xs], numbers(w), step

    found, expected = run(tg.compile), run(lambda step: step)
    assert found[2].replays == 3
    assert_same(found[:2], expected[:2])
    h = xs[0] @ start
    h[h < 0 if axes == 2 else h.sum(1) > 0] = 0.25
    np.testing.assert_allclose(expected[0][0][1], h, rtol=1e-12)


def test_what_is_computed_with_the_norm_runs_as_it_is():
    w = weight()

    @tg.compile
    def step(x):
        w.grad = None
        (w * x).exp().sum().backward()
        return nn.utils.clip_grad_norm_([w], 0.1) * 2.0

    with pytest.warns(RuntimeWarning, match="computes with what clip_norm returns; return that as it is"):
        norms = [step(tg.tensor([0.5, k])).item() for k in range(4)]
    assert len(set(norms)) > 2 and step.replays == 0


def test_gradients_that_somebody_keeps_stay_as_they_are():
    w = tg.tensor(np.linspace(-1, 1, 20_000, dtype=np.float32).reshape(20, 1000), requires_grad=True)
    sgd = nn.optim.SGD([w], lr=1e-3)

    def step(x):
        sgd.zero_grad()
        loss = tg.linear(x, w).exp().sum()
        loss.backward()
        sgd.step()
        return loss

    step, kept = ready_made(step, tg.full((2, 1000), 0.01)), []
    for _ in range(4):
        step(tg.full((2, 1000), 0.01))
        kept.append((w.grad, w.grad[5:].numpy(), numbers(w.grad)))
    for grad, view, as_it_was in kept:
        np.testing.assert_array_equal(numbers(grad), as_it_was)
        np.testing.assert_array_equal(view, as_it_was[5:])
    assert len({as_it_was[-1, 0] for *_, as_it_was in kept}) == 4
    # And are no copies: they lie in buffers of the pool.
    assert step.replays == 4 and all(grad.data.base is not None for grad, *_ in kept)


def sets_none(w, sgd, x):
    w.grad = None
    (w * x).exp().sum().backward()
    sgd.step()
    return x * 1


def test_gradients_set_to_none_by_hand():
    def results(compile):
        w = weight()
        step, sgd = compile(lambda x: sets_none(w, sgd, x)), nn.optim.SGD([w], lr=0.01)
        return [[numbers(step(tg.tensor([0.5, k]))), numbers(w), numbers(w.grad)] for k in range(6)]

    assert_same(results(tg.compile), results(lambda f: f))


def test_gradients_forgotten_outside_now_and_then():
    def results(compile):
        w = weight()
        sgd, seen = momentum([w]), []
        step = compile(lambda x: adds_up(sgd, lambda: (w * x).exp().sum()))
        for k in range(12):
            if k % 4 == 0:
                sgd.zero_grad()
            seen.append([numbers(step(tg.tensor([0.5, k / 10]))), numbers(w), numbers(w.grad)])
        return seen, step

    expected, _ = results(lambda f: f)
    found, step = results(tg.compile)
    assert_same(found, expected)
    assert step.replays == 7


def test_two_leaves_with_one_gradient_get_two_arrays():
    v, w = weight(), weight()
    sgd = momentum([v, w])

    def step(x):
        sgd.zero_grad()
        loss = ((v + w) * x).exp().sum()
        loss.backward()
        return loss

    step = ready_made(step, tg.ones(2))
    step(tg.ones(2))
    v.grad.data[...] = 0
    assert step.replays == 1 and np.all(numbers(w.grad) > 0)


def test_a_loss_that_is_one_parameter():
    w = tg.tensor(3.0, requires_grad=True)
    sgd = momentum([w])

    def step(x):
        sgd.zero_grad()
        (w + x).backward()
        sgd.step()
        return x * 1

    step = ready_made(step, tg.tensor(1.0))
    step(tg.tensor(1.0))
    first = w.grad
    step(tg.tensor(1.0))
    # The gradient is a constant of the program: it must not become anybody's own.
    first.data[...] = 7
    step(tg.tensor(1.0))
    assert step.replays == 3 and w.grad.item() == 1
