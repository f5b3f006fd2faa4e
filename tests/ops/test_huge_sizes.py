"""Sizes that no machine has memory for: refused at once, in words, by one error."""

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn, transforms
from tensorgrad.arrays import dtypes as arrays
from tensorgrad.ops import pooling

HUGE = 10**15

CALLS = {
    "arange": lambda: tg.arange(HUGE),
    "linspace": lambda: tg.linspace(0, 1, HUGE),
    "eye": lambda: tg.eye(10**9),
    "full": lambda: tg.full((HUGE,), 1.0),
    "zeros": lambda: tg.zeros(HUGE),
    "rand": lambda: tg.rand(HUGE),
    "randint": lambda: tg.randint(0, 2, HUGE),
    "randperm": lambda: tg.randperm(HUGE),
    "one_hot": lambda: tg.one_hot(tg.tensor([0, 1]), HUGE),
    "pad": lambda: F.pad(tg.zeros(3), (HUGE, HUGE)),
    "pad, replicate": lambda: F.pad(tg.zeros(3), (HUGE, HUGE), mode="replicate"),
    "clone": lambda: tg.broadcast_to(tg.zeros(1), (HUGE,)).clone(),
    "np.tile": lambda: np.tile(tg.zeros(4), HUGE),
    "np.repeat": lambda: np.repeat(tg.zeros(4), HUGE),
    "matmul": lambda: tg.matmul(tg.zeros(10**7, 1), tg.zeros(1, 10**7)),
    "conv1d": lambda: tg.conv1d(tg.zeros(1, 1, 4), tg.zeros(1, 1, 3), padding=HUGE),
    "max_pool2d": lambda: tg.max_pool2d(tg.zeros(1, 1, 4, 4), 2 * 10**7, 1, 10**7),
    "Linear": lambda: nn.Linear(10**8, 10**8),
    "Conv2d": lambda: nn.Conv2d(10**6, 10**6, 100),
    "AdaptiveAvgPool1d": lambda: nn.AdaptiveAvgPool1d(HUGE)(tg.zeros(1, 1, 4)),
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d(10**8)(tg.zeros(1, 1, 4, 4)),
    "AdaptiveAvgPool2d, unbatched": lambda: nn.AdaptiveAvgPool2d((1, HUGE))(tg.zeros(1, 4, 4)),
    "adaptive_max_pool1d": lambda: F.adaptive_max_pool1d(tg.zeros(1, 1, 4), HUGE),
    "adaptive_max_pool2d": lambda: F.adaptive_max_pool2d(tg.zeros(1, 4, 4), 10**8),
    "adaptive_max_pool3d": lambda: F.adaptive_max_pool3d(tg.zeros(1, 1, 4, 4, 4), 10**6, return_indices=True),
    "conv_transpose2d": lambda: tg.conv_transpose2d(tg.zeros(1, 2, 4, 4), tg.zeros(2, 1, 3, 3), stride=HUGE),
    "conv_transpose1d, unbatched": lambda: tg.conv_transpose1d(tg.zeros(2, 4), tg.zeros(2, 1, 3), dilation=HUGE),
    "repeat_interleave": lambda: tg.repeat_interleave(tg.zeros(4), HUGE),
    "repeat_interleave, counts": lambda: tg.repeat_interleave(tg.tensor([HUGE, 2**62, 2**62])),
    "tril_indices": lambda: tg.tril_indices(10**9, 10**9),
    "triu_indices": lambda: tg.triu_indices(HUGE, HUGE),
    "vander": lambda: tg.vander(tg.zeros(3), HUGE),
    "linalg.vander": lambda: tg.linalg.vander(tg.zeros(3), HUGE),
    "block_diag": lambda: tg.block_diag(*[tg.zeros(10**7)] * 1000, tg.zeros(10**7, 1)),
    "jacobian": lambda: tg.jacobian(lambda x: x * 2.0, tg.zeros(10**7)),
    "hessian": lambda: tg.hessian(lambda x: (x * x).sum(), tg.zeros(10**7)),
}


@pytest.mark.parametrize("call", CALLS)
def test_refused_as_out_of_memory(call):
    with pytest.raises(tg.OutOfMemoryError, match=r"[GTPE]iB"):
        CALLS[call]()


def test_adaptive_pooling_looks_at_memory_before_it_works(monkeypatch):
    monkeypatch.setattr(arrays, "machine_memory", lambda: 2**20)
    monkeypatch.setattr(pooling, "_means", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(tg.OutOfMemoryError, match=r"\(1, 2, 600, 600\) float32(.|\n)*output_size: 600"):
        tg.adaptive_avg_pool2d(tg.zeros(1, 2, 3, 3), 600)
    with pytest.raises(tg.OutOfMemoryError, match=r"\(300, 600\) float64"):
        tg.adaptive_avg_pool1d(tg.zeros(1, 1, 600), 300)


def test_a_jacobian_looks_at_memory_before_it_goes_back(monkeypatch):
    monkeypatch.setattr(arrays, "machine_memory", lambda: 2**20)
    monkeypatch.setattr(transforms, "stack", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(tg.OutOfMemoryError, match=r"jacobian: \(600, 600\) float32"):
        tg.jacobian(lambda x: x * 2.0, tg.zeros(600))


@pytest.mark.parametrize("kernel", [2 * 10**11, 10**11 + 1])
def test_an_average_visits_only_pixels_that_are_there(kernel):
    """A window may reach far over the input: its padding takes no time."""
    rng = np.random.default_rng(0)
    x = tg.Tensor(rng.standard_normal((2, 1, 4)), requires_grad=True)
    z = tg.avg_pool1d(x, kernel, 1, kernel // 2)
    upstream = rng.standard_normal(z.shape)
    z.backward(tg.Tensor(upstream))
    pad, expected, gradient = kernel // 2, np.zeros(z.shape), np.zeros(x.shape)
    for k in range(z.shape[2]):
        start, end = max(k - pad, 0), min(k - pad + kernel, 4)
        expected[..., k] = x.data[..., start:end].sum(-1) / kernel
        gradient[..., start:end] += upstream[..., k : k + 1] / kernel
    np.testing.assert_allclose(z.data, expected, rtol=1e-12)
    np.testing.assert_allclose(x.grad.data, gradient, rtol=1e-12)
