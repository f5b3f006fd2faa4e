"""Functions of `nn.functional` that the table of cases can't hold: random ones, and those that write in place."""

import inspect

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F

IN_PLACE = {
    "relu_": (),
    "elu_": (0.5,),
    "leaky_relu_": (0.1,),
    "celu_": (2.0,),
    "selu_": (),
    "hardtanh_": (-0.5, 0.5),
    "threshold_": (0.5, 3.0),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_an_activation_in_place_writes_what_the_function_gives(name):
    start = np.random.default_rng(0).standard_normal((3, 4))
    given, upstream = IN_PLACE[name], np.random.default_rng(1).standard_normal((3, 4))
    leaf, other = (tg.tensor(start).requires_grad_() for _ in range(2))
    x = leaf * 2
    assert getattr(F, name)(x, *given) is x
    expected = getattr(F, name[:-1])(other * 2, *given)
    np.testing.assert_array_equal(x.numpy(), expected.numpy())
    (x * tg.tensor(upstream)).sum().backward()
    (expected * tg.tensor(upstream)).sum().backward()
    np.testing.assert_array_equal(leaf.grad.numpy(), other.grad.numpy())


def test_gumbel_softmax_chooses_classes_as_often_as_softmax_says():
    logits = tg.tensor([0.0, 1.0, 2.0])
    choices = F.gumbel_softmax(logits.expand(20000, 3), hard=True, generator=np.random.default_rng(0))
    assert set(np.unique(choices.numpy())) == {0, 1}
    np.testing.assert_allclose(choices.mean(0).numpy(), tg.softmax(logits, 0).numpy(), atol=0.01)


@pytest.mark.parametrize("shape, dim", [((), 0), ((3,), -1), ((2, 3, 4), 1)])
def test_a_hard_choice_has_the_gradient_of_the_soft_one(shape, dim):
    start = np.random.default_rng(2).standard_normal(shape)
    upstream = tg.tensor(np.random.default_rng(3).standard_normal(shape))
    gradients = []
    for hard in (False, True):
        x = tg.tensor(start).requires_grad_()
        z = F.gumbel_softmax(x, 0.7, hard, dim=dim, generator=np.random.default_rng(0))
        np.testing.assert_allclose(z.sum(dim).numpy(), 1, rtol=1e-12)
        (z * upstream).sum().backward()
        gradients.append(x.grad.numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-12)


def test_a_compiled_gumbel_softmax_draws_as_the_plain_one():
    compiled = tg.compile(lambda x: F.gumbel_softmax(x, hard=True))
    x = tg.tensor(np.random.default_rng(4).standard_normal((5, 6)))
    results = []
    for function in (compiled, lambda x: F.gumbel_softmax(x, hard=True)):
        tg.manual_seed(0)
        results.append([function(x).numpy().copy() for _ in range(5)])
    np.testing.assert_array_equal(*results)
    assert compiled.replays > 0


def test_gumbel_softmax_refuses_a_temperature_that_is_not_positive():
    with pytest.raises(tg.ArgumentError, match="tau must be > 0, got 0"):
        F.gumbel_softmax(tg.zeros(3), 0)


@pytest.mark.oracle
def test_arguments_have_pytorchs_names_and_order():
    theirs = pytest.importorskip("torch").nn.functional
    compared = 0
    for name in [n for n in vars(F) if not n.startswith("_") and inspect.isfunction(getattr(theirs, n, None))]:
        ours, wanted = (inspect.signature(getattr(module, name)).parameters.values() for module in (F, theirs))
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in (*ours, *wanted)):
            continue  # a wrapper, which hides its arguments
        own = ("generator", "axis", "keepdims")  # NumPy's spellings, and the source of random numbers
        assert [p.name for p in ours if p.name not in own] == [p.name for p in wanted], name
        compared += 1
    assert compared > 60
