"""Every optimizer that PyTorch describes for its own tests, with its settings: the same steps as PyTorch's."""

import inspect

import numpy as np
import pytest

import tensorgrad as tg

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's descriptions of its optimizers need it")
described = pytest.importorskip("torch.testing._internal.common_optimizers")

pytestmark = pytest.mark.oracle
STEPS = 6
CASES = [
    pytest.param(info.optim_cls, settings.kwargs, id=f"{info.optim_cls.__name__}-{settings.desc}")
    for info in described.optim_db
    if hasattr(tg.optim, info.optim_cls.__name__)
    for settings in info.optim_inputs_func(device="cpu")
    if not isinstance(settings.kwargs.get("lr"), torch.Tensor)
]
OPTIMIZERS = list(dict.fromkeys(case.values[0] for case in CASES))


def weights(optimizer, library, start, inputs, targets):
    """The parameters after each of some steps on the square loss of a linear model."""
    parameters = [library.tensor(array).requires_grad_() for array in start]
    inputs, targets = library.tensor(inputs), library.tensor(targets)
    steps = optimizer(parameters)

    def loss():
        steps.zero_grad()
        apart = inputs @ parameters[0] + parameters[1] - targets
        value = (apart * apart).mean()
        value.backward()
        return value

    for _ in range(STEPS):
        steps.step(loss)
        yield [p.detach().numpy().copy() for p in parameters]


@pytest.mark.parametrize("theirs, settings", CASES)
def test_an_optimizer_takes_pytorchs_steps(theirs, settings):
    ours, rng = getattr(tg.optim, theirs.__name__), np.random.default_rng(0)
    start = [rng.standard_normal((4, 3)), rng.standard_normal(3)]
    batch = rng.standard_normal((8, 4)), rng.standard_normal((8, 3))
    mine = weights(lambda ps: ours(ps, **settings), tg, start, *batch)
    expected = weights(lambda ps: theirs(ps, **settings), torch, start, *batch)
    for step, (got, wanted) in enumerate(zip(mine, expected, strict=True)):
        for k, (a, b) in enumerate(zip(got, wanted, strict=True)):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9, err_msg=f"parameter {k} after step {step + 1}")


@pytest.mark.parametrize("theirs", OPTIMIZERS, ids=lambda c: c.__name__)
def test_settings_have_pytorchs_names_and_order(theirs):
    ours = getattr(tg.optim, theirs.__name__)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.mark.parametrize("theirs", OPTIMIZERS, ids=lambda c: c.__name__)
def test_a_learning_rate_is_a_number(theirs):
    with pytest.raises(tg.ArgumentError, match="lr must be a finite number"):
        getattr(tg.optim, theirs.__name__)([tg.zeros(2).requires_grad_()], lr=tg.tensor(0.1))
