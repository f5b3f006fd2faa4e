"""Every op of the table, explained: paths, terms and finite differences of an element of each input, and as text."""

import math
import sys

import batches
import numpy as np
import pytest
from cases import CASES

import tensorgrad as tg
from tensorgrad.system.columns import columns
from tensorgrad.viz.format.notation import MATH, NAME

SMOOTH = [case for case in CASES if case.row.differentiable and case.smooth]


def scalars_of(case):
    """Per float input that isn't empty: the tensor, a loss whose gradient for the op's result is random, its trace."""
    arrays = case.inputs(np.float64)
    for k, array in enumerate(arrays):
        if array.dtype.kind != "f" or array.size == 0:
            continue
        tensors = [tg.Tensor(x, requires_grad=j == k, name=f"x{j}") for j, x in enumerate(arrays)]
        with tg.viz.trace() as t:
            z = case.call(*tensors)
            loss = (z * case.upstream(z.shape, z.dtype)).sum()
        if z.requires_grad:
            yield tensors[k], loss, t


def numbers(terms):
    return [(term.place, term.upstream, term.local) for term in terms]


@pytest.mark.filterwarnings("error")
@pytest.mark.cases("case", SMOOTH, ids=repr)
def test_an_element_of_each_input_is_explained(case):
    for x, loss, t in scalars_of(case):
        index = tuple(n // 2 for n in x.shape)
        (gradient,) = tg.grad(loss, [x], retain_graph=True)
        expected = float(gradient.numpy()[index])
        found = tg.viz.explain(loss, wrt=x, index=index, names={})
        scale = 1e-9 * max(1.0, float(np.abs(gradient.numpy()).max()))
        assert found.gradient == expected
        assert found.path_sum == pytest.approx(expected, rel=1e-9, abs=scale)
        summed = math.fsum(term.value for terms in found.terms for term in terms)
        assert summed == pytest.approx(expected, rel=1e-9, abs=scale)
        if found.difference is not None:
            assert found.difference == pytest.approx(expected, rel=1e-5, abs=1e-6)
        traced = tg.viz.explain(t, wrt=x, index=index, names={})
        assert traced.gradient == expected
        assert [numbers(terms) for terms in traced.terms] == [numbers(terms) for terms in found.terms]
        assert traced.difference == pytest.approx(expected, rel=1e-5, abs=1e-6)
        whole = tg.viz.explain(loss, wrt=x, names={})
        np.testing.assert_array_equal(whole.gradient, gradient.numpy())
        explained = found.text(100)
        for text in (explained, whole.text(60), tg.viz.text(loss, width=70, names={})):
            assert max(map(columns, text.splitlines())) <= 100
            assert NAME not in text
            assert MATH not in text
        assert "✗" not in explained
        assert found.latex.isascii()


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 1_760
