"""Every row of the table against PyTorch: values, dtypes, gradients under a random upstream, second derivatives."""

import sys

import batches
import numpy as np
import pytest
from cases import CASES

import tensorgrad as tg

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::UserWarning")]  # PyTorch muses on NaN and padding

# PyTorch itself is no closer: its second derivative of binary cross-entropy has 10⁻¹² added to a denominator.
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


def assert_close(ours, theirs, what, dtype):
    theirs = theirs.numpy(force=True)
    assert ours.dtype == theirs.dtype, what
    assert ours.shape == theirs.shape, what
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(ours.data, theirs, err_msg=what)
        return
    largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=1.0)
    np.testing.assert_allclose(ours.data, theirs, rtol=0, atol=TOLERANCE[dtype] * largest, err_msg=what)


def gradients(library, z, inputs, upstream, zeros_like, **params):
    """The gradients of z for the inputs; zeros where z doesn't depend on one, or on none."""
    if not z.requires_grad:
        return [zeros_like(x) for x in inputs]
    found = library.grad(z, inputs, upstream, allow_unused=True, **params)
    return [zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.cases("case", [case for case in CASES if case.row.torch is not None], ids=repr)
def test_agrees_with_pytorch(case, dtype, torch):
    arrays = case.inputs(dtype)
    ours = [tg.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
    theirs = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
    z, t = case.call(*ours), case.torch_call(torch, *theirs)
    assert_close(z, t, "forward", dtype)
    assert z.requires_grad == t.requires_grad or not case.row.twice
    if not z.requires_grad:
        return

    ours, theirs = [x for x in ours if x.requires_grad], [x for x in theirs if x.requires_grad]
    upstream = case.upstream(z.shape, z.dtype)
    ours.append(tg.tensor(upstream, requires_grad=True))
    theirs.append(torch.tensor(upstream, requires_grad=True))
    first = gradients(tg, z, ours[:-1], ours[-1], tg.zeros_like, create_graph=True)
    expected = gradients(torch.autograd, t, theirs[:-1], theirs[-1], torch.zeros_like, create_graph=True)
    for k, (g, e) in enumerate(zip(first, expected, strict=True)):
        assert_close(g, e, f"gradient of input {k}", dtype)

    if not case.smooth or not case.row.twice:
        return
    for k, (g, e) in enumerate(zip(first, expected, strict=True)):
        v = np.random.default_rng(k).standard_normal(g.shape).astype(dtype)
        second = gradients(tg, g, ours, v, tg.zeros_like, retain_graph=True)
        wanted = gradients(torch.autograd, e, theirs, torch.tensor(v), torch.zeros_like, retain_graph=True)
        for j, (s, w) in enumerate(zip(second, wanted, strict=True)):
            assert_close(s, w, f"derivative of gradient {k} for input {j} (the last is the upstream gradient)", dtype)


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 2_139
