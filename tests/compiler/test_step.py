"""Compiled training steps: the walk back and the optimizer inside, against the same steps run op by op."""

import warnings

import numpy as np
import pytest
from compiling import NETWORKS, assert_same, numbers, ready_made

import tensorgrad as tg
from tensorgrad import nn

# Some steps let gradients add up on purpose.
pytestmark = pytest.mark.filterwarnings("error", "ignore:.*zero_grad")


def weight():
    return tg.tensor([2.0, -3.0], requires_grad=True, name="w")


def momentum(parameters):
    return nn.optim.SGD(parameters, lr=lambda step: 0.1 / (step + 1), momentum=0.9)


def begins(optimizer, loss):
    """The usual order of a step's parts."""
    optimizer.zero_grad()
    result = loss()
    result.backward()
    optimizer.step()
    return result


def between(optimizer, loss):
    result = loss()
    optimizer.zero_grad()
    result.backward()
    optimizer.step()
    return result


def ends(optimizer, loss):
    result = loss()
    result.backward()
    optimizer.step()
    optimizer.zero_grad()
    return result


def zeros(optimizer, loss):
    optimizer.zero_grad(set_to_none=False)
    result = loss()
    result.backward()
    optimizer.step()
    return result


def adds_up(optimizer, loss):
    result = loss()
    result.backward()
    optimizer.step()
    return result


def clips(optimizer, loss):
    optimizer.zero_grad()
    result = loss()
    result.backward()
    nn.optim.clip_grad_norm_(optimizer.named_parameters().values(), 0.01)
    nn.optim.clip_grad_value_(optimizer.named_parameters().values(), 0.001)
    optimizer.step()
    return result


def goes_back_twice(optimizer, loss):
    optimizer.zero_grad()
    first = loss()
    first.backward()
    second = loss() * 2
    second.backward()
    optimizer.step()
    return first + second.detach()


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


ORDERS = [begins, between, ends, zeros, adds_up, clips]


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


def stepping(w, optimizer, scale=1.0):
    def step(x):
        optimizer.zero_grad()
        loss = (w * x).exp().sum() * scale
        loss.backward()
        optimizer.step()
        return loss

    return step


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


# --------------------------------------------------------------------------------------------------- when a step fails


def test_a_bad_label_leaves_everything_as_the_function_would():
    def failing(compile):
        tg.manual_seed(0)
        model = NETWORKS["mixed"][0]()
        sgd = momentum(model.parameters())
        step = compile(lambda x, y: between(sgd, lambda: nn.cross_entropy(model(x), y)))
        x = tg.ones(3, 1, 20, 20)
        for _ in range(3):
            step(x, tg.tensor([0, 1, 2]))
        with pytest.raises(tg.RangeError, match="class indices") as refused:
            step(x, tg.tensor([0, 9, 2]))
        return (
            str(refused.value),
            [numbers(p.grad) for p in model.parameters()],
            [numbers(p) for p in model.parameters()],
        )

    assert_same(failing(tg.compile), failing(lambda f: f))


def forgets(w, x):
    w.grad = None
    (w * x).sum().backward()


def forgets_late(w, x):
    loss = (w * x).sum()
    w.grad = None
    loss.backward()


def forgets_behind(w, x):
    (w * x).exp().sum().backward()
    w.grad = None


def forgets_between(w, x):
    (w * x).exp().sum().backward()
    w.grad = None
    (w * x * x).sum().backward()


def forgets_what_is_there(w, x):
    if w.grad is not None:
        w.grad = None
    (w * x).sum().backward()


def tells_whether_it_is_there(w, x):
    return (w * x * (2.0 if w.grad is None else 3.0)).sum().detach()


@pytest.mark.parametrize(
    "body", [forgets, forgets_late, forgets_behind, forgets_between, forgets_what_is_there, tells_whether_it_is_there]
)
@pytest.mark.parametrize("given", [False, True])
def test_grad_is_read_and_set_to_none(body, given):
    def told(compile):
        w, found = weight(), []
        step = compile(lambda w, x: body(w, x)) if given else compile(lambda x: body(w, x))
        for k in range(16):
            if k in (6, 11):
                w.grad = None if k == 6 else tg.ones(2)
            found.append(step(*[w] * given, tg.ones(2) * k))
            found.append(w.grad)
        return [None if x is None else numbers(x) for x in found], step

    compiled, plain = told(tg.compile), told(lambda f: f)
    assert_same([x for x in compiled[0] if x is not None], [x for x in plain[0] if x is not None])
    assert [x is None for x in compiled[0]] == [x is None for x in plain[0]]
    assert compiled[1].replays >= 4


def test_a_module_converted_inside_runs_as_it_is():
    layer = nn.Linear(2, 2)

    def rounded(x):
        layer.to("float16")
        y = layer(x)
        layer.to("float32")
        return y

    compiled = tg.compile(rounded)
    with pytest.warns(RuntimeWarning, match=r"Module.to\(\)"):
        for _ in range(4):
            compiled(tg.ones(1, 2).astype("float16"))
    assert compiled.replays == 0


def test_the_gradient_of_an_argument_is_not_kept():
    step = tg.compile(lambda w: (w * w.grad).sum().detach())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(5):
            w = weight()
            w.grad = tg.tensor([1.0, 1.0]) if k < 3 else tg.tensor([5.0, 5.0])
            assert step(w).item() == (w * w.grad).sum().item()
    assert step.replays == 0 and "reads the .grad" in step.problems[0]


def test_an_optimizer_that_refuses_does_so_once():
    def failing(compile):
        w = weight()
        sgd = nn.optim.SGD([w], lr=lambda step: 0.1 if step < 3 else np.nan)

        def step(x):
            loss = (w * x).exp().sum()
            loss.backward()
            sgd.step()
            return loss

        step = compile(step)
        for _ in range(3):
            step(tg.ones(2))
        with pytest.raises(tg.ArgumentError, match=r"the learning rate at step \d must be a finite number ≥ 0, got"):
            step(tg.ones(2))
        return numbers(w), numbers(w.grad)

    # The function runs once more, in a world put back: it may have a way of its own to deal with that.
    assert_same(failing(tg.compile), failing(lambda f: f))


# -------------------------------------------------------------------------------------------- what must not be replayed


def hooked(w, sgd, x):
    if w._hooks is None:
        w.register_hook(lambda g: g * 2)
    (w * x).exp().sum().backward()
    return x * 1


def keeps_the_graph(w, sgd, x):
    loss = (w * x).exp().sum()
    loss.backward(retain_graph=True)
    return loss


def differentiable(w, sgd, x):
    (w * x).exp().sum().backward(create_graph=True)
    return x * 1


def reads_gradients(w, sgd, x):
    sgd.zero_grad()
    (w * x).exp().sum().backward()
    return (w.grad * 2).sum()


def goes_on(w, sgd, x):
    (w * x).exp().sum().backward()
    sgd.step()
    return (w * x).sum().detach()


def goes_on_with_a_view(w, sgd, x):
    view = w.reshape(1, 2)
    (view * x).exp().sum().backward()
    sgd.step()
    return (view * x).sum().detach()


def sets_another_behind(w, sgd, x):
    (w * x).exp().sum().backward()
    sgd.step()
    w.grad = tg.ones(2)
    return x * 1


def sets_another_between(w, sgd, x):
    (w * x).exp().sum().backward()
    w.grad = tg.ones(2)
    (w * x * x).sum().backward()
    return x * 1


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (sets_another_behind, "a .grad is assigned"),
        (sets_another_between, "a .grad is assigned"),
        (hooked, "a hook"),
        (keeps_the_graph, "requires a gradient after backward"),
        (differentiable, "create_graph"),
        (reads_gradients, "reads the .grad"),
        (goes_on, "w is read after SGD.step"),
        (goes_on_with_a_view, "a tensor is read after SGD.step"),
    ],
)
def test_what_a_replay_would_do_otherwise_runs_as_it_is(function, reason):
    def results(compile):
        w = weight()
        sgd = nn.optim.SGD([w], lr=0.01)
        step = compile(lambda x: function(w, sgd, x))
        return [(numbers(step(tg.tensor([0.5, k]))), numbers(w), numbers(w.grad)) for k in range(4)], step

    expected, _ = results(lambda f: f)
    with pytest.warns(RuntimeWarning, match="runs op by op") as told:
        found, step = results(tg.compile)
    told = [warning for warning in told if warning.category is RuntimeWarning]  # a step that keeps its gradients
    assert len(told) == 1 and reason in str(told[0].message) and step.replays == 0
    assert_same([list(row) for row in found], [list(row) for row in expected])


def test_a_hook_on_a_leaf_runs_once():
    w = weight()
    w.register_hook(lambda g: g * 2)
    compiled = ready_made(lambda x: (w * x).sum(), tg.ones(2))
    compiled(tg.tensor([1.0, 4.0])).backward()
    assert compiled.replays == 1 and w.grad.tolist() == [2.0, 8.0]


def test_a_hook_that_comes_later_is_heard():
    w = weight()
    step = tg.compile(stepping(w, nn.optim.SGD([w], lr=0.0)))
    for _ in range(3):
        step(tg.ones(2))
    once = numbers(w.grad)
    w.register_hook(lambda g: g * 2)
    with pytest.warns(RuntimeWarning, match="a hook"):
        step(tg.ones(2))
    np.testing.assert_array_equal(numbers(w.grad), 2 * once)
