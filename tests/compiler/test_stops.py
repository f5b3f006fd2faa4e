"""Replays that stop half-way: the function itself runs instead, and finds the world as it was."""

import numpy as np
import pytest
from compiling import assert_same, numbers

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.backward_pass import zero_grad
from tensorgrad.autograd.engine import guard

pytestmark = pytest.mark.filterwarnings("error")


class Noisy(nn.Module):
    """Draws masks, and follows statistics."""

    def __init__(self, generator=None):
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
        self.generator = generator

    def forward(self, x):
        return tg.dropout(self.layers(x), 0.3, self.training, generator=self.generator)


def world(wrap, insists=False, seed=0):
    """A training step, and what tells all that it has changed."""
    tg.manual_seed(seed)
    own = np.random.default_rng(seed)
    model = Noisy(own)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        cost = nn.cross_entropy(model(x), y)
        if insists and not guard(np.isfinite, cost._data):
            raise nn.optim.NonFiniteError("no finite loss")
        cost.backward()
        optimizer.step()
        return cost.detach()

    def everything():
        tensors = [*model.parameters(), *model.buffers()]
        states = [default_generator().bit_generator.state, own.bit_generator.state]
        return [numbers(t) for t in tensors], [numbers(t.grad) for t in tensors], states

    return wrap(step), everything


def lived(wrap, batches, **how):
    step, everything = world(wrap, **how)
    found = []
    for x, y in batches:
        try:
            found.append(numbers(step(x, y)))
        except tg.TensorgradError as error:
            found.append(repr(error))
        found.append(everything())
    return found, step


def batches(count=6, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal((5, 6)).astype(np.float32), rng.integers(0, 3, 5)) for _ in range(count)]


@pytest.mark.parametrize("spoiled", [2, 3, 5])
def test_a_bad_label(spoiled):
    given = batches()
    given[spoiled][1][2] = 3
    (compiled, step), (plain, _) = lived(tg.compile, given), lived(lambda f: f, given)
    assert_same(compiled, plain)
    assert step.replays == 3 and "RangeError" in compiled[2 * spoiled]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_condition_that_turns_out_otherwise(value):
    given = batches()
    given[4][0][1, 2] = value
    (compiled, step), (plain, _) = lived(tg.compile, given, insists=True), lived(lambda f: f, given, insists=True)
    assert_same(compiled, plain)
    assert step.replays == 3 and "no finite loss" in compiled[8]


@pytest.mark.parametrize("first", [True, False])
def test_gradients_that_were_there(first):
    """Those that the function itself forgets before it fails are gone, all others aren't."""

    def left(wrap):
        w = nn.Parameter(np.ones((3, 6), np.float32))

        def step(x, y):
            if first:
                zero_grad([w])
            cost = nn.cross_entropy(tg.linear(x, w), y)
            if not first:
                zero_grad([w])
            cost.backward()
            return cost.detach()

        step, given = wrap(step), batches(3)
        for x, y in given:
            step(x, y)
        w.grad = before = tg.tensor(np.full((3, 6), 7, np.float32))
        with pytest.raises(tg.RangeError):
            step(given[0][0], np.full(5, 9))
        return w.grad is before

    assert left(tg.compile) == left(lambda f: f) == (not first)


def test_an_effect_that_refuses_is_met_by_the_function_itself():
    """Its own way to deal with a bad step is a part of what it does."""

    def make(wrap):
        w, skipped = nn.Parameter(np.ones((3, 6), np.float32)), []
        optimizer = nn.optim.SGD([w], lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            cost = nn.cross_entropy(tg.linear(x, w), y)
            cost.backward()
            try:
                nn.optim.clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
                optimizer.step()
            except nn.optim.NonFiniteError:
                skipped.append(1)
            return cost.detach()

        step = wrap(step)
        found = []
        for k, (x, y) in enumerate(batches(7)):
            x[0, 0] = np.inf if k == 4 else x[0, 0]
            found.append((numbers(step(x, y)), numbers(w), numbers(w.grad)))
        return found, skipped

    compiled, plain = make(tg.compile), make(lambda f: f)
    assert_same(compiled, plain)
    assert plain[1] == [1]


@pytest.mark.parametrize("spoiled", [3, 6])
def test_fit_stops_at_the_same_place(spoiled):
    def trained(compile):
        tg.manual_seed(3)
        model = Noisy()
        optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
        data = batches(8)
        data[spoiled][0][0, 0] = np.nan
        with pytest.raises(nn.optim.NonFiniteError) as stopped:
            nn.fit(model, data, loss=nn.cross_entropy, optimizer=optimizer, epochs=2, compile=compile, progress=False)
        tensors = [*model.parameters(), *model.buffers()]
        return str(stopped.value), [numbers(t) for t in tensors], default_generator().bit_generator.state

    assert_same(trained(True), trained(False))


def test_what_nobody_reads_still_raises():
    @tg.compile
    def function(x, labels):
        tg.nn.functional.cross_entropy(x, labels)
        return x * 2

    for _ in range(6):
        function(tg.ones(2, 3), tg.tensor([0, 2]))
    assert function.replays == 4
    with pytest.raises(tg.RangeError, match="class"):
        function(tg.ones(2, 3), tg.tensor([0, 7]))


def test_a_gradient_that_cannot_be_taken_stops_nobody_who_takes_none():
    w = tg.tensor([1.0, 2.0], requires_grad=True)

    def function(x):
        e = (x * w).exp()
        with tg.no_grad():
            e.clamp_(max=5.0)
        return e.sum()

    compiled = tg.compile(function)
    with pytest.warns(RuntimeWarning, match="gradient of its result"):
        compiled(tg.ones(2))
    for _ in range(4):
        found, wanted = compiled(tg.ones(2)), function(tg.ones(2))
        assert found.item() == wanted.item()
        for loss in (found, wanted):
            with pytest.raises(tg.GraphError, match="changed in place"):
                loss.backward()
