"""One step with convolutions and poolings of every kind, each beside the others, under a random upstream gradient."""

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F

CALLS = {
    "plain": lambda x, w, b: tg.conv2d(x, w, b),
    "strided": lambda x, w, b: tg.conv2d(x, w, b, stride=(2, 3), padding=(2, 1)),
    "same": lambda x, w, b: tg.conv2d(x, w, b, padding="same"),
    "dilated": lambda x, w, b: tg.conv2d(x, w, b, dilation=(2, 1), padding=1),
    "depthwise": lambda x, w, b: tg.conv2d(x, w, b, stride=2, padding=1, groups=4),
    "grouped": lambda x, w, b: tg.conv2d(x, w, b, groups=2, padding=1),
    "pointwise": lambda x, w, b: tg.conv2d(x, w, b),
    "signal": lambda x, w, b: tg.conv1d(x, w, b, stride=2, padding=3, dilation=2),
    "up": lambda x, w, b: tg.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1),
    "up_grouped": lambda x, w, b: F.conv_transpose2d(x, w, b, stride=(2, 1), groups=2, dilation=(1, 2)),
    "up_signal": lambda x, w, b: F.conv_transpose1d(x, w, b, stride=3, padding=1),
}
SHAPES = {  # of x, the weights and the result's channels
    "plain": ((3, 2, 5, 6), (3, 2, 3, 2), 3),
    "strided": ((3, 3, 7, 8), (4, 3, 5, 3), 4),
    "same": ((3, 3, 5, 4), (3, 3, 2, 4), 3),
    "dilated": ((3, 2, 6, 5), (4, 2, 3, 3), 4),
    "depthwise": ((3, 4, 6, 6), (8, 1, 3, 3), 8),
    "grouped": ((3, 6, 4, 4), (4, 3, 3, 3), 4),
    "pointwise": ((3, 5, 3, 4), (6, 5, 1, 1), 6),
    "signal": ((3, 3, 9), (4, 3, 3), 4),
    "up": ((3, 3, 3, 4), (3, 4, 3, 3), 4),
    "up_grouped": ((3, 4, 3, 3), (4, 3, 2, 2), 6),
    "up_signal": ((3, 2, 5), (2, 3, 4), 3),
}
POOLS = {
    "max": lambda x: tg.max_pool2d(x, 2),
    "max_overlapping": lambda x: tg.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True),
    "max_dilated": lambda x: tg.max_pool2d(x, (2, 3), stride=1, dilation=2),
    "max_signal": lambda x: tg.max_pool1d(x[:, :, 0], 3, stride=2),
    "max_with_indices": lambda x: tg.max_pool2d(x, 2, return_indices=True)[0],
    "max_adaptive": lambda x: F.adaptive_max_pool2d(x, (3, 4)),
    "avg": lambda x: tg.avg_pool2d(x, 2),
    "avg_ceil": lambda x: tg.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True),
    "avg_without_padding": lambda x: tg.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False),
    "avg_divisor": lambda x: tg.avg_pool2d(x, (2, 3), divisor_override=5),
    "avg_signal": lambda x: tg.avg_pool1d(x[:, :, 0], 3, stride=2),
    "avg_adaptive": lambda x: tg.adaptive_avg_pool2d(x, (3, 5)),
    "avg_upwards": lambda x: tg.adaptive_avg_pool2d(x, (9, 6)),
    "avg_global": lambda x: tg.adaptive_avg_pool2d(x, 1),
    "avg_mean": lambda x: x.mean((2, 3)),
}
POOLED = (3, 3, 7, 6)
NAMES = [*CALLS, *POOLS]


@pytest.fixture(scope="session")
def step():
    """Its trace; the layers run in the order of `NAMES`."""
    rng = np.random.default_rng(11)

    def leaf(shape, name):
        return tg.tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True, name=name)

    total = tg.tensor(0.0)
    with tg.viz.trace() as traced:
        for name, call in CALLS.items():
            x, w, maps = SHAPES[name]
            z = call(leaf(x, f"{name}.x"), leaf(w, f"<i>{name}</i>.weight"), leaf((maps,), f"{name}.bias"))
            total = total + (z * tg.tensor(rng.standard_normal(z.shape).astype(np.float32))).sum()
        for name, call in POOLS.items():
            z = call(leaf(POOLED, f"{name}.x"))
            total = total + (z * tg.tensor(rng.standard_normal(z.shape).astype(np.float32))).sum()
        total.backward()
    return traced


@pytest.fixture(scope="session")
def layers(step):
    """The layers of the step by their names in `NAMES`."""
    from tensorgrad.viz.microscope.reading import layers_of

    found = list(layers_of(step.computation()))
    assert len(found) == len(NAMES)
    return dict(zip(NAMES, found, strict=True))
