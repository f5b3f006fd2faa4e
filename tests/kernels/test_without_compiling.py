"""NUMBA_DISABLE_JIT=1, the way to debug: reference code in NumPy runs, and one line says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LINE = "tensorgrad: NUMBA_DISABLE_JIT is set: NumPy code runs in place of the compiled kernels, more slowly\n"

# The first small case of each row, by the tests that hold the table to NumPy and to finite differences.
TABLE = """
import sys, warnings
sys.path[:0] = ["tests", "tests/ops"]
warnings.simplefilter("error")
import numpy as np
import test_table
first = {}
for case in test_table.CASES:
    first.setdefault(case.row.name, case)
for case in first.values():
    for dtype in (np.float64, np.float32):
        test_table.test_forward(case, dtype)
    if case in test_table.GRADIENT_CASES:
        test_table.test_gradients_keep_the_dtype(case, np.float32)
        if case.smooth:
            test_table.test_gradient(case)
print(len(first))
"""

# Everything that a network of images meets, compiled and plain, with an optimizer whose kernel would be large enough.
TRAINING = """
import numpy as np
import tensorgrad as tg
from tensorgrad import nn

def train(compile):
    tg.manual_seed(0)
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, bias=False), nn.GELU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, 200), nn.ReLU(), nn.Linear(200, 3),
    )
    adam = nn.optim.Adam(net.parameters(), lr=1e-2)
    x = rng.standard_normal((8, 1, 14, 14)).astype(np.float32)
    y = rng.integers(0, 3, 8)
    def step(x, y):
        adam.zero_grad()
        loss = nn.cross_entropy(net(x), y)
        loss.backward()
        adam.step()
        return loss
    step = tg.compile(step) if compile else step
    losses = [step(tg.tensor(x), tg.tensor(y)).item() for _ in range(8)]
    return losses, [p.numpy().copy() for p in (p.detach() for p in net.parameters())]

(losses, weights), (again, others) = train(False), train(True)
assert losses == again and all((a == b).all() for a, b in zip(weights, others))
print(*losses)
"""

ERRORS = """
import numpy as np
from tensorgrad import kernels
from tensorgrad.errors import TensorgradError
from tensorgrad.windows import Window
halves = Window.halving((2, 2))
x, labels = np.zeros((2, 3)), np.array([0, -1])
images, places = np.zeros((1, 1, 2, 2)), np.array([[[[4]]]], np.int32)
for call in (
    lambda: kernels.losses.cross_entropy(x, labels),
    lambda: kernels.losses.cross_entropy_gradient(x[:, 0], x, labels + 4),
    lambda: kernels.pooling.scatter(images[:, :, :1, :1], places, halves),
    lambda: kernels.pooling.gather(images, places - 5, halves),
    lambda: kernels.convolution.forward(images, np.zeros((1, 2, 1, 1)), None, halves),
    lambda: kernels.loops.compute("tanh", np.zeros(2, np.float16)),
):
    try:
        call()
    except TensorgradError as error:
        print(type(error).__name__)
print(list(kernels.warmup()))
"""


def run(script, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def test_the_op_table_passes_and_one_line_says_so():
    assert run(TABLE, NUMBA_DISABLE_JIT="1") == ([str(len(_rows()))], LINE)


def _rows():
    from cases import CASES

    return {case.row.name for case in CASES}


def test_a_network_trains_as_it_does_on_kernels():
    compiled, _ = run(TRAINING)
    references, errors = run(TRAINING, NUMBA_DISABLE_JIT="1")
    assert errors == LINE
    assert len(references) == 8
    assert all(abs(float(a) - float(b)) < 1e-3 for a, b in zip(compiled, references, strict=True))
    assert float(references[-1]) < float(references[0])


def test_the_checks_are_those_of_the_kernels():
    errors = ["RangeError"] * 4 + ["ShapeError", "DTypeError", "[]"]
    assert run(ERRORS, NUMBA_DISABLE_JIT="1")[0] == errors


def test_without_a_standard_error_nothing_is_said():
    script = "import sys; sys.stderr = None\nimport tensorgrad as tg\nprint(float(tg.relu(tg.tensor([2.0])).sum()))"
    assert run(script, NUMBA_DISABLE_JIT="1") == (["2.0"], "")
