"""States of optimizers: training resumed from them goes on to the bit, and what does not fit is refused whole."""

import copy
import json
import math

import numpy as np
import pytest
from optimizers import EVERY_OPTION, ByHand, give, leaf, random_steps, steps

import tensorgrad as tg
from tensorgrad.errors import ArgumentError
from tensorgrad.nn.optim import (
    SGD,
    Adam,
    cosine,
)


@pytest.mark.parametrize("make", EVERY_OPTION.values(), ids=EVERY_OPTION)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resume_is_exact(make, dtype):
    def network():
        rng = np.random.default_rng(5)
        return [tg.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in [(3, 4), (4,)]]

    straight, stopped = network(), network()
    one = make(straight)
    random_steps(one, straight, 3, seed=1)
    random_steps(one, straight, 3, seed=2)

    two = make(stopped)
    random_steps(two, stopped, 3, seed=1)
    arrays, text = {}, copy.deepcopy(two.state_dict())
    for name, entry in text["state"].items():
        arrays[name] = {slot: entry.pop(slot) for slot in list(entry) if slot != "step"}
    state = json.loads(json.dumps(text))
    for name, entry in state["state"].items():
        entry.update(arrays[name])

    resumed = [tg.tensor(p.data, requires_grad=True) for p in stopped]
    three = make(resumed)
    three.load_state_dict(state)
    random_steps(three, resumed, 3, seed=2)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(straight, resumed, strict=True))
    assert three.steps == one.steps == 6 and three.param_groups[0]["lr"] == one.param_groups[0]["lr"]


@pytest.mark.parametrize("make", EVERY_OPTION.values(), ids=EVERY_OPTION)
@pytest.mark.parametrize("shape", [(3,), (80, 80)], ids=["NumPy", "kernel"])
def test_resume_from_a_file_is_exact(make, shape, tmp_path):
    """`tg.load` gives tensors; rules and kernels compute with arrays."""
    values = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    straight, resumed = ([tg.tensor(values, requires_grad=True)] for _ in range(2))
    one = make(straight)
    random_steps(one, straight, 3, seed=1)
    tg.save({"weight": straight[0].detach(), "optimizer": one.state_dict()}, tmp_path / "run.safetensors")
    random_steps(one, straight, 3, seed=2)

    two, saved = make(resumed), tg.load(tmp_path / "run.safetensors")
    resumed[0].data[...] = saved["weight"].numpy()
    two.load_state_dict(saved["optimizer"])
    random_steps(two, resumed, 3, seed=2)
    np.testing.assert_array_equal(straight[0].data, resumed[0].data)
    assert all(isinstance(kept, int | np.ndarray) for kept in two.state[resumed[0]].values())


def test_a_loaded_state_shares_no_memory():
    a, b = leaf(1), leaf(1)
    one, two = Adam([a]), Adam([b])
    steps(one, a, [1])
    two.load_state_dict(one.state_dict())
    before = one.state[a]["exp_avg"].copy()
    steps(two, b, [5])
    assert np.array_equal(one.state[a]["exp_avg"], before)


def test_schedules_stay_and_go_on():
    a, b = leaf(1), leaf(1)
    one, two = (SGD([p], cosine(0.1, 10)) for p in (a, b))
    steps(one, a, [1, 1, 1])
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert two.learning_rate == one.learning_rate == cosine(0.1, 10)(3)


def test_names_are_kept():
    optimizer = SGD([("weight", w := leaf(1)), ("bias", leaf(1))], 0.1, momentum=0.9)
    steps(optimizer, w, [1])
    state = optimizer.state_dict()
    assert state["param_groups"][0]["params"] == ["weight", "bias"] and list(state["state"]) == ["weight"]


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (lambda: SGD([leaf(1, 2)], 0.1), "saved by SGD, loaded into Adam"),
        (lambda: Adam([leaf(1, 2), leaf(1)]), "parameters ['0', '1'] saved, ['0'] here"),
        (lambda: Adam([("w", leaf(1, 2))]), "parameters ['w'] saved"),
        (lambda: Adam([leaf(1, 2, 3)]), "exp_avg is (3,) float64, expected (2,) float64"),
        (lambda: Adam([leaf(1, 2, dtype=np.float32)]), "exp_avg_sq is (2,) float32"),
        (lambda: Adam([{"params": [leaf(1, 2)]}, {"params": [leaf(1)]}]), "groups of parameters: 2 saved, 1 here"),
        (lambda: Adam([leaf(1, 2)], lr=cosine(0.1, 5)), "both must be numbers, or both schedules"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(saved, words):
    other = saved()
    for p in other.named_parameters().values():
        p.grad = tg.ones_like(p)
    other.step()
    w = leaf(1, 2)
    optimizer = Adam([w], 0.5)
    give(w, 1, 1)
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ArgumentError) as caught:
        optimizer.load_state_dict(other.state_dict())
    assert words in str(caught.value)
    after = optimizer.state_dict()
    assert np.array_equal(before["state"]["0"].pop("exp_avg"), after["state"]["0"].pop("exp_avg"))
    assert np.array_equal(before["state"]["0"].pop("exp_avg_sq"), after["state"]["0"].pop("exp_avg_sq"))
    assert before == after


def test_a_damaged_state_is_refused():
    optimizer = Adam([w := leaf(1)])
    steps(optimizer, w, [1])
    state = optimizer.state_dict()
    del state["state"]["0"]["exp_avg"]
    with pytest.raises(ArgumentError, match="no 'exp_avg' saved"):
        optimizer.load_state_dict(state)
    with pytest.raises(ArgumentError, match="it has no 'param_groups'"):
        optimizer.load_state_dict({"optimizer": "Adam", "steps": 1, "state": {}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), None),
        ((), [1]),
        (("steps",), -1),
        (("steps",), 1.5),
        (("steps",), True),
        (("optimizer",), np.zeros(3)),
        (("param_groups",), {"params": []}),
        (("param_groups",), [None]),
        (("param_groups", 0, "params"), "w"),
        (("param_groups", 0, "lr"), "text"),
        (("param_groups", 0, "lr"), math.nan),
        (("param_groups", 0, "betas"), 0.9),
        (("param_groups", 0, "betas"), [0.9, "0.99"]),
        (("param_groups", 0, "amsgrad"), "text"),
        (("param_groups", 0, "eps"), None),
        (("state",), [1]),
        (("state", "w"), 3),
        (("state", "w", "step"), -1),
        (("state", "w", "step"), 2.0),
        (("state", "w", "exp_avg"), [0.0, 0.0]),
        (("state", "w", "more"), "text"),
        (("state", "elsewhere"), {"step": 1}),
    ],
)
def test_states_that_make_no_sense_are_refused_whole(path, value):
    def built():
        w = tg.tensor([1.0, 2.0], requires_grad=True)
        (w * w).sum().backward()
        optimizer = Adam([("w", w)], 0.1)
        optimizer.step()
        return optimizer

    optimizer = built()
    before = repr(optimizer.state_dict())
    state = copy.deepcopy(built().state_dict())
    if path:
        holder = state
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
    else:
        state = value
    with pytest.raises(ArgumentError, match="the state doesn't fit"):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


def test_groups_of_another_optimizer_keep_their_options():
    inner = ByHand([leaf(1)])
    inner.param_groups[0]["rho"] = 0.05
    outer = SGD(inner.param_groups, lr=0.1, momentum=0.9)
    assert outer.param_groups[0]["rho"] == 0.05 and outer.param_groups[0]["lr"] == 0.5
    with pytest.raises(ArgumentError, match="unknown options"):
        SGD([{"params": [leaf(1)], "rho": 0.05}])


def test_reading_a_state_that_is_not_there_changes_no_step():
    optimizer = Adam([w := leaf(10)], 0.5, eps=0)
    assert optimizer.state[w] == {}
    assert steps(optimizer, w, [4]) == [9.5]
