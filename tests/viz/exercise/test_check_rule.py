"""Rules that are right are found right, and planted mistakes are refused and named."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.formulas.expression import expression
from tensorgrad.formulas.programs import program
from tensorgrad.formulas.symbolic import on_symbols, parameters_of
from tensorgrad.ops.elementwise.elementwise import ON_TENSORS, Elementwise

F = nn.functional
check_rule = tg.viz.check_rule


def subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


# Ops without parameters that state a derivative for each input.
OPS = {
    cls.name: cls
    for cls in subclasses(Elementwise)
    if cls.__module__.startswith("tensorgrad.") and cls.derivatives and not cls.parameters and cls.name in ON_TENSORS
    and hasattr(tg, cls.name) and all(map(callable, cls.derivatives)) and len(cls.derivatives) == len(cls.inputs)
}  # fmt: skip
STEPS = {"ceil", "floor", "round", "sign", "trunc"}
IN_WORDS = {"clip", "digamma", "fmod", "remainder"}
"""Ops whose derivative says words, or functions that exist in formulas alone."""


def stated(name, change=lambda derivative: derivative):
    """The op's own derivatives as functions of tensors, changed."""
    return [
        program(expression(change(on_symbols(function))), parameters_of(function), ON_TENSORS)
        for function in OPS[name].derivatives
    ]


def asked():
    return sorted(set(OPS) - IN_WORDS)


def test_most_elementwise_ops_are_asked_for():
    assert {"sigmoid", "tanh", "relu", "exp", "log", "sqrt", "square", "multiply", "divide", "silu"} <= set(asked())
    assert len(asked()) >= 40


@pytest.mark.cases("name", asked(), ids=str)
def test_the_own_derivative_of_an_elementwise_op_is_right(name):
    assert check_rule(ON_TENSORS[name], stated(name))


@pytest.mark.cases("name", asked(), ids=str)
def test_a_wrong_sign_and_a_wrong_factor_are_refused_and_named(name):
    if check_rule(name, stated(name, lambda derivative: derivative * 0)):
        assert name in STEPS  # any multiple of 0 is right
        return
    for factor, said in ((-1.0, "the sign is wrong"), (2.0, "twice as large"), (0.5, "half as large")):
        verdict = check_rule(name, stated(name, lambda derivative, by=factor: derivative * by))
        assert not verdict
        assert {wrong.mistake for wrong in verdict.wrong} == {said}
        for wrong in verdict.wrong:
            np.testing.assert_allclose(wrong.ratio, factor, rtol=1e-4)
            assert f"a ratio of {'−' if factor < 0 else ''}{abs(factor):g}" in str(verdict)


def convolution(factor=1.0):
    """The gradients of a 2-D convolution by loops over the places of the window."""

    def rule(g, x, w, z):
        g, x, w = (np.asarray(a) for a in (g, x, w))
        for_x, for_w = np.zeros(x.shape), np.zeros(w.shape)
        for i, j in np.ndindex(g.shape[2:]):
            window = np.s_[:, :, i : i + w.shape[2], j : j + w.shape[3]]
            for_w += np.einsum("no,nchw->ochw", g[:, :, i, j], x[window])
            for_x[window] += np.einsum("no,ochw->nchw", g[:, :, i, j], w)
        return for_x, factor * for_w

    return rule


RIGHT = {
    "matmul": ("matmul", lambda g, x, y, z: (g @ y.T, x.T @ g)),
    "linear with a bias": ("linear", lambda g, x, w, b, z: (g @ w, g.T @ x, g.sum(0))),
    "linear without": ("linear", lambda g, x, w, z: (g @ w, g.T @ x)),
    "conv2d": ("conv2d", convolution()),
    "add": ("add", lambda g, x, y, z: (g, g.sum(0))),
    "softmax": (lambda x: tg.softmax(x, -1), lambda g, x, z: z * (g - (g * z).sum(-1, keepdim=True))),
    "labels": (F.cross_entropy, lambda g, x, y, z: (g * (tg.softmax(x, -1) - F.one_hot(y, 3)) / 4, None)),
    "indices": ("embedding", lambda g, i, w, z: (None, np.eye(5)[np.asarray(i)].T @ np.asarray(g))),
    "batches": ("baddbmm", lambda g, a, x, y, z: (g, g @ y.mT, x.mT @ g)),
    "three operands": ("addcmul", lambda g, a, x, y, z: (g, (g * y).sum(0), (g * x).sum(1, keepdim=True))),
    "inverse": ("inverse", lambda g, x, z: -z.T @ g @ z.T),
    "own function": (lambda x: (x * x).sum(), lambda g, x, z: 2 * x * g),
    "NumPy": ("log", lambda x: 1 / np.asarray(x)),
    "reduction": ("mean", lambda g, x, z: g * tg.ones(*x.shape) / x.numel()),
}


@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT)
def test_right_rules_of_other_ops(case):
    verdict = check_rule(*case)
    assert verdict
    assert "right. It agrees with finite differences at" in str(verdict)


WRONG = {
    "transposed": ("matmul", lambda g, x, y, z: (g @ y.T, g.T @ x), "transposed"),
    "transposed square": ("inverse", lambda g, x, z: (-z.T @ g @ z.T).T, "transposed"),
    "exchanged": ("matmul", lambda g, x, y, z: (x.T @ g, g @ y.T), "it is that of y"),
    "exchanged locals": ("multiply", [lambda x: x, lambda y: y], "it is that of y"),
    "not summed": ("add", lambda g, x, y, z: (g, g), "not summed over the broadcast axis 0"),
    "bias not summed": ("linear", lambda g, x, w, b, z: (g @ w, g.T @ x, g), "not summed over the broadcast axis 0"),
    "a mean for a sum": ("sum", lambda g, x, z: g * tg.ones(3, 4) / 12, "divided by 12"),
    "a sum for a mean": ("mean", lambda g, x, z: g * tg.ones(3, 4), "12 times as large"),
    "no upstream": (lambda x: (x * x).sum(), lambda g, x, z: 2 * x, "not multiplied with the upstream"),
    "no upstream, elementwise": ("exp", lambda g, x, z: z, "not multiplied with the upstream"),
    "x for z": ("sigmoid", lambda x, z: x * (1 - x), "x, the input, is taken where z"),
    "z for x": ("square", lambda x, z: 2 * z, "z, the output, is taken where x"),
    "a term left out": ("tanh", lambda z: -(z**2), "the local derivative is 1 too small"),
    "relu as identity": ("relu", lambda x: 1 + 0 * x, "wrong only where x < 0"),
    "zero": ("exp", lambda x: 0 * x, "zero everywhere"),
    "NaN": ("exp", lambda x: x / 0 * 0, "NaN or infinite"),
    "shape": ("sum", lambda g, x, z: g, "must be that of the input, (3, 4)"),
    "keepdim": (lambda x: x.sum(0, keepdim=True), lambda g, x, z: g, "must be that of the input, (3, 4)"),
    "None": ("matmul", lambda g, x, y, z: (g @ y.T, None), "the rule gave None"),
    "too few": ("matmul", lambda g, x, y, z: g @ y.T, "must return 2 gradients, one per input, got 1"),
    "an error": ("matmul", lambda g, x, y, z: (g @ y, x @ g), "the rule raised ShapeError for inputs of shapes (3, 4)"),
    "convolution's weight": ("conv2d", convolution(factor=3.0), "3 times as large"),
    "unknown": ("exp", lambda x, z: z + 0.3 * x, "the gradient of x is wrong\n"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_planted_mistakes_are_refused_and_named(case):
    op, rule, said = case
    verdict = check_rule(op, rule)
    assert not verdict
    assert said in str(verdict)


def test_the_example_is_one_that_the_reader_can_repeat():
    verdict = check_rule("tanh", lambda z: 1 - z)
    (wrong,) = verdict.wrong
    assert wrong.inputs[0][wrong.index] == wrong.input
    assert abs(wrong.given / wrong.expected - wrong.ratio) < 1e-12
    for number in (wrong.input, wrong.given, wrong.expected):
        assert f"{abs(number):.4g}" in str(verdict)


def test_inputs_of_the_users_own():
    x = tg.tensor(np.arange(16.0).reshape(1, 1, 4, 4))

    def to_the_largest(g, x, z):
        gradient = np.zeros(x.shape)
        gradient[..., 1::2, 1::2] = np.asarray(g)
        return gradient

    pool = lambda x: tg.max_pool2d(x, 2)  # noqa: E731
    assert check_rule(pool, to_the_largest, inputs=[x])
    assert not check_rule(pool, lambda g, x, z: to_the_largest(g, x, z)[..., ::-1].copy(), inputs=[x])


def test_the_seed_decides_the_numbers():
    said = [str(check_rule("exp", lambda x: x, seed=seed)) for seed in (0, 0, 1)]
    assert said[0] == said[1] != said[2]


REFUSED = {
    "no such name": (("sigmoidal", lambda x: x), tg.ArgumentError, "the name of a function of tg"),
    "a class": (("Tensor", lambda x: x), tg.ArgumentError, "the name of a function of tg"),
    "no op": ((3, lambda x: x), tg.DTypeError, "op must be a name or a function"),
    "no rule": (("exp", 3), tg.DTypeError, "my_rule must be a function"),
    "no rules": (("exp", []), tg.DTypeError, "my_rule must be a function"),
    "not elementwise": (("matmul", lambda x, y: y), tg.ArgumentError, "matmul isn't elementwise"),
    "no inputs": (("max_pool2d", lambda g, x, z: g), tg.ArgumentError, "found no inputs for max_pool2d"),
    "random": ((lambda x: tg.dropout(x), lambda g, x, z: g), tg.ArgumentError, "the same for the same inputs"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_calls_that_are_refused(case):
    arguments, error, words = case
    with pytest.raises(error, match=words):
        check_rule(*arguments)
