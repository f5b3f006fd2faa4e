"""Rules traced once for many steps: the same program, number for number, as traced in each step."""

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.kernels import rules, step_programs
from tensorgrad.nn.optim import optimizer as optimizers, updating


def program_of(optimizer, options, slots, step):
    batch = updating.Batch((0, 0), options, slots, step, [])
    return optimizer._updates._program(batch, optimizer._rule, type(optimizer).update.pure)


def as_tuple(program):
    return program.operations, program.results, program.numbers.tobytes()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (nn.optim.SGD, {}),
        (nn.optim.SGD, {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01, "maximize": True}),
        (nn.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        (nn.optim.Adam, {"weight_decay": 0.1}),
        (nn.optim.Adam, {"amsgrad": True, "betas": (0.5, 0.99)}),
        (nn.optim.AdamW, {}),
        (nn.optim.RMSprop, {"centered": True, "momentum": 0.5}),
    ],
)
def test_the_programs_of_all_steps_are_as_traced(kind, options, monkeypatch):
    optimizer = kind([tg.ones(2, requires_grad=True)], **options)
    traces = []
    monkeypatch.setattr(step_programs, "trace_of", lambda *given: traces.append(1) or rules.trace_of(*given))
    for step in (1, 2, 3, 1000, 1):
        for lr in (0.1, 0.0, 1, 1e-30):
            ((_, given),) = optimizer._work()
            given = {**given, "lr": lr}
            slots = optimizer.slots(given)
            found = program_of(optimizer, given, slots, step)
            assert as_tuple(found) == as_tuple(rules.traced(optimizer._rule(given), slots, step))
    assert len(traces) <= 3  # of the first step, of those after it, and of the first once more
    optimizer.param_groups[0]["weight_decay"] = 0.5
    ((_, given),) = optimizer._work()
    found = program_of(optimizer, given, optimizer.slots(given), 7)
    assert as_tuple(found) == as_tuple(rules.traced(optimizer._rule(given), optimizer.slots(given), 7))


def test_conditions_on_steps_and_rates_are_checked_in_each_step():
    @step_programs.pure
    def update(w, g, state, *, lr):
        if lr:
            g = g * (1 - 2 * lr) if lr > 0.1 else g
        if state["step"] % 3 == 0:
            g = -g
        return w - lr / state["step"] ** 0.5 * g

    def rule_of(options):
        return lambda w, g, state: update(w, g, state, **options)

    programs = step_programs.Programs()
    for step in range(1, 20):
        for lr in (0.0, 0.05, 0.5):
            found = programs.find(0, rule_of, {"lr": lr}, (), step)
            assert as_tuple(found) == as_tuple(rules.traced(rule_of({"lr": lr}), (), step))


@pytest.mark.parametrize("convert", [float, int, round, np.sqrt, np.asarray, hash])
def test_a_rule_that_converts_its_numbers_is_traced_in_each_step(convert):
    def rule_of(options):
        return lambda w, g, state: w - float(convert(state["step"])) ** 0.5 * options["lr"] * g

    programs = step_programs.Programs()
    for step in (1, 2, 3):
        found = programs.find(0, rule_of, {"lr": 0.1}, (), step)
        assert as_tuple(found) == as_tuple(rules.traced(rule_of({"lr": 0.1}), (), step))


class Reading(optimizers.Optimizer):
    """Its rule reads an attribute, so it is traced in each step."""

    factor = 1.0

    def update(self, w, g, state, *, lr):
        return w - self.factor * lr * g


class Overriding(nn.optim.SGD):
    """It derives from an optimizer whose rule is pure, and its own isn't."""

    factor = 1.0

    def update(self, w, g, state, **options):
        return super().update(w, self.factor * g, state, **options)


def test_a_rule_that_reads_attributes_is_never_out_of_date():
    for kind in (Reading, Overriding):
        w = tg.tensor(np.zeros(updating.LARGE, np.float32), requires_grad=True)
        options = {"lr": 1.0} if kind is Overriding else {"lr": 1.0, "maximize": False}
        optimizer = kind([w], **options)
        w.grad = tg.ones(updating.LARGE)
        for factor in (1.0, 2.0, 4.0):
            optimizer.factor = factor
            optimizer.step()
        assert (w.data == -7).all()


def test_an_optimizer_can_be_copied_between_steps():
    w = tg.tensor(np.ones(updating.LARGE, np.float32), requires_grad=True)
    optimizer = nn.optim.Adam([w])
    w.grad = tg.ones(updating.LARGE)
    optimizer.step()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (v,) = other.param_groups[0]["params"]
        v.grad = tg.ones(updating.LARGE)
        other.step()
        assert v.data[0] < w.data[0]
