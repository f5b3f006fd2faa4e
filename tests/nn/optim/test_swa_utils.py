"""Averages of weights: beside PyTorch's, compiled, and what they refuse; and the names that scripts import."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.optim import SGD, swa_utils

AVERAGES = {
    "SWA": lambda s: {},
    "EMA": lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.7)},
    "EMA, each": lambda s: {"avg_fn": s.get_ema_avg_fn(0.6)},
    "SWA, multi": lambda s: {"multi_avg_fn": s.get_swa_multi_avg_fn()},
    "EMA, buffers": lambda s: {"multi_avg_fn": s.get_ema_multi_avg_fn(0.3), "use_buffers": True},
    "own": lambda s: {"avg_fn": lambda a, w, n: 0.1 * a + 0.9 * w},
}


def network(library):
    return library.Sequential(library.Linear(3, 4), library.BatchNorm1d(4), library.ReLU(), library.Linear(4, 2))


@pytest.mark.oracle
@pytest.mark.parametrize("options", AVERAGES.values(), ids=AVERAGES)
def test_averages_as_pytorch(options):
    torch = pytest.importorskip("torch")
    theirs, ours = network(torch.nn), network(nn)
    one = torch.optim.swa_utils.AveragedModel(theirs, **options(torch.optim.swa_utils))
    ours.load_state_dict({k: v.detach().numpy().copy() for k, v in theirs.state_dict().items()})
    two = swa_utils.AveragedModel(ours, **options(swa_utils))
    rng = np.random.default_rng(0)
    for _ in range(4):
        x = rng.standard_normal((5, 3)).astype("f")
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            step = rng.standard_normal(p.shape).astype("f")
            with tg.no_grad(), torch.no_grad():
                p += step
                q += torch.tensor(step)
        ours(tg.tensor(x)), theirs(torch.tensor(x))
        two.update_parameters(ours)
        one.update_parameters(theirs)
    state, expected = two.state_dict(), one.state_dict()
    assert list(state) == list(expected)
    for name, value in expected.items():
        assert state[name].dtype == value.numpy().dtype
        np.testing.assert_allclose(state[name].data, value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
    batches = [rng.standard_normal((5, 3)).astype("f") for _ in range(3)]
    two.eval()
    swa_utils.update_bn([(tg.tensor(x), 0) for x in batches], two)
    torch.optim.swa_utils.update_bn([torch.tensor(x) for x in batches], one)
    one.eval()
    assert not two.training and two.module[1].momentum == 0.1
    x = batches[0]
    np.testing.assert_allclose(two(tg.tensor(x)).data, one(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 3, "anneal_strategy": "linear"}, {"anneal_epochs": 0}])
def test_the_learning_rate_as_pytorch(options):
    torch = pytest.importorskip("torch")
    mine, pytorch = SGD([nn.Parameter([1.0])], 0.1), torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    one, other = swa_utils.SWALR(mine, 0.05, **options), torch.optim.swa_utils.SWALR(pytorch, 0.05, **options)
    for _ in range(14):
        assert one.get_last_lr() == pytest.approx(other.get_last_lr(), rel=1e-12)
        one.step()
        other.step()


def test_averages_within_a_compiled_step():
    def run(compiled):
        tg.manual_seed(0)
        model = network(nn)
        averaged = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5))
        optimizer = SGD(model.parameters(), 0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            averaged.update_parameters(model)
            return loss

        step = tg.compile(step) if compiled else step
        for k in range(6):
            step(tg.tensor(np.random.default_rng(k).standard_normal((4, 3)).astype("f")))
        return {k: v.data.copy() for k, v in averaged.state_dict().items()}, getattr(step, "replays", 0)

    (ours, replays), (plain, _) = run(True), run(False)
    assert replays > 0 and ours["n_averaged"] == 6
    for name, value in plain.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def test_the_modules_mode_comes_back_after_an_error():
    model = network(nn)
    model.eval()
    with pytest.raises(tg.ShapeError):
        swa_utils.update_bn([tg.zeros(2, 7)], model)
    assert not any(module.training for module in model.modules()) and model[1].momentum == 0.1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda m: swa_utils.AveragedModel(m, "cuda"), "device must be None or 'cpu'"),
        (lambda m: swa_utils.AveragedModel(m, None, abs, abs), "not both"),
        (lambda m: swa_utils.get_ema_multi_avg_fn(1.5), r"decay must be a number in [0, 1]"),
        (lambda m: swa_utils.get_ema_avg_fn(-1), r"decay must be a number in [0, 1]"),
        (lambda m: swa_utils.SWALR(SGD(m.parameters(), 0.1), 0.1, anneal_strategy="cosine"), "'cosine'"),
        (lambda m: swa_utils.SWALR(SGD(m.parameters(), 0.1), 0.1, -1), "an int ≥ 0, got -1"),
    ],
)
def test_errors(make, words):
    with pytest.raises(tg.ArgumentError) as caught:
        make(network(nn))
    assert words in str(caught.value)


def test_the_imports_of_scripts():
    import tensorgrad.optim as optim
    from tensorgrad import optim as same
    from tensorgrad.optim import lr_scheduler
    from tensorgrad.optim.lr_scheduler import StepLR, _LRScheduler
    from tensorgrad.optim.swa_utils import AveragedModel

    assert optim is same is tg.optim and optim.SGD is SGD and AveragedModel is swa_utils.AveragedModel
    assert optim.lr_scheduler is lr_scheduler and lr_scheduler.StepLR is StepLR is nn.optim.lr_scheduler.StepLR
    assert issubclass(StepLR, _LRScheduler)
    assert set(nn.optim.__all__) <= set(dir(optim)) and set(nn.optim.lr_scheduler.__all__) <= set(dir(lr_scheduler))
