"""Names of the library that are bound anew: a compiled function calls what stands there, as plain code does."""

import importlib
import pickle
import sys

import numpy as np
import pytest
from compiling import assert_same, numbers, ready_made

import tensorgrad as tg
from tensorgrad import nn

pytestmark = pytest.mark.filterwarnings("error")

GIVEN = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
LABELS = np.array([0, 3, 1])


class Mine:
    """Stands in the place of a library function."""

    scale = 3.0

    def __call__(self, x, *args, **kwargs):
        return x.sum() * self.scale


# By the module and the name that are patched: a function that reads the name, or calls a function that does.
READERS = {
    "by the module": (tg, "tanh", lambda x: tg.tanh(x).sum()),
    "by a submodule": (nn, "cross_entropy", lambda x: nn.cross_entropy(x, LABELS)),
    "by a layer of the library": (tg, "relu", nn.Sequential(nn.ReLU())),
    "by a loss of the library": (nn.losses.layers, "cross_entropy", lambda x: nn.CrossEntropyLoss()(x, LABELS)),
    "by a method of the library": (tg.ops.elementwise.activations, "relu", lambda x: x.relu().sum()),
}


def assert_follows(compiled, calls=4):
    """The compiled function gives what the function gives, gradient included, and replays from the third call on."""
    before = compiled.replays
    for _ in range(calls):
        found = []
        for f in (compiled, compiled.function):
            x = tg.Tensor(GIVEN, requires_grad=True)
            z = f(x)
            z.backward(tg.Tensor(np.random.default_rng(1).standard_normal(z.shape), dtype=z.dtype))
            found.append([numbers(z), numbers(x.grad)])
        assert_same(*found)
    assert compiled.replays >= before + calls - 2 and not compiled.problems


@pytest.mark.parametrize("reader", READERS)
def test_a_patched_function_is_called(reader, monkeypatch):
    module, name, function = READERS[reader]
    compiled = tg.compile(function)
    assert_follows(compiled)
    monkeypatch.setattr(module, name, lambda x, *args, **kwargs: x.sum() * 3.0)
    assert_follows(compiled)
    monkeypatch.setattr(module, name, mine := Mine())
    assert_follows(compiled)
    mine.scale = 7.0
    assert_follows(compiled)
    monkeypatch.undo()
    before = compiled.replays
    assert_follows(compiled)
    assert compiled.replays == before + 4, "the recording of before the patch holds again"


def test_a_function_exchanged_for_one_of_the_library(monkeypatch):
    compiled = tg.compile(lambda x: tg.tanh(x).sum())
    assert_follows(compiled)
    monkeypatch.setattr(tg, "tanh", tg.sigmoid)
    assert_follows(compiled)


def test_a_name_that_is_no_longer_there(monkeypatch):
    compiled = ready_made(lambda x: tg.tanh(x).sum(), tg.Tensor(GIVEN), calls=3)
    monkeypatch.delattr(tg, "tanh")
    with pytest.raises(AttributeError, match="tanh"):
        compiled(tg.Tensor(GIVEN))


def test_importing_a_part_of_the_library_is_no_patch(monkeypatch):
    compiled = ready_made(lambda x: tg.tanh(x).sum(), tg.Tensor(GIVEN), calls=3)
    monkeypatch.delitem(vars(tg.system), "notebook", raising=False)
    monkeypatch.delitem(sys.modules, "tensorgrad.system.notebook", raising=False)
    importlib.import_module("tensorgrad.system.notebook")
    compiled(tg.Tensor(GIVEN))
    assert compiled.replays == 2


def test_modules_can_be_pickled_after_something_was_compiled():
    compiled = tg.compile(lambda x: x * 2)
    compiled(tg.ones(3)), compiled(tg.ones(3))
    for module in (tg, tg.nn, tg.nn.functional):
        assert type(module).__name__ == "_Telling"
        assert pickle.loads(pickle.dumps(module)) is module
