"""Every example in every docstring of the package runs and says what it shows."""

import doctest
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tensorgrad as tg

EXTRAS = {
    "tensorgrad.distributed.channels": "mpi4py.MPI",
    "tensorgrad.distributed.mpi": "mpi4py.MPI",
    "tensorgrad.sklearn": "sklearn.base",
}
"""Modules that import a package of an extra, with those below them; where it can't be used they have no examples."""


def usable(module):
    for name, package in EXTRAS.items():
        if f"{module}.".startswith(f"{name}."):
            try:
                importlib.import_module(package)
            except (ImportError, RuntimeError):  # RuntimeError: mpi4py finds no library of MPI
                return False
    return True


def modules():
    for package in (tg, importlib.import_module("tensorgrad.nn"), importlib.import_module("tensorgrad.viz")):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Importing a `__main__` runs it.
            if not module.name.endswith("__main__") and usable(module.name):
                yield module.name


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in sorted(set(modules())):
        for test in finder.find(importlib.import_module(name)):
            if test.examples:
                yield pytest.param(test, id=test.name)


@pytest.mark.cases("test", list(examples()))
def test_docstring_example(test, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("example"))
    said = []
    failures, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not failures, "".join(said)


GUIDE = """
import re, sys
from pathlib import Path
import numpy as np
import tensorgrad as tg
from tensorgrad.formulas.loops import LOOPS
from tensorgrad.ops.elementwise import activations

sys.path.insert(0, "tests")
op, row = re.findall(r"```python\\n(.*?)```", Path("docs/adding-an-op.md").read_text(encoding="utf-8"), re.DOTALL)[:2]
assert len([line for line in op.splitlines() if line]) <= 8 and row.count("Row(") == 1
exec(op, vars(activations))
tg.lisht = activations.lisht
assert "lisht" in activations.__all__
import cases.activations
exec(row, vars(cases.activations))
(row,) = [row for row in cases.activations.ROWS if row.name == "lisht"]

x = tg.Tensor(np.random.default_rng(0).normal(size=(5, 7)), requires_grad=True, name="w")
z = tg.lisht(x)
np.testing.assert_allclose(z.numpy(), row.reference(x.numpy()), rtol=1e-13)
assert {"lisht", "lisht gradient"} <= set(LOOPS)
f = lambda x: (tg.lisht(x) * upstream).sum()
upstream = np.random.default_rng(1).normal(size=(5, 7))
first, = tg.grad(f(x), [x])
g = x
for order in (1, 2, 3):
    value = f(x) if order == 1 else (g * upstream).sum()
    g, = tg.grad(value, [x], create_graph=True)
    d, step = np.random.default_rng(2).normal(size=(5, 7)), 1e-5
    def at(moved):
        y = tg.Tensor(moved, requires_grad=True)
        v = f(y)
        for _ in range(order - 1):
            v = (tg.grad(v, [y], create_graph=True)[0] * upstream).sum()
        return v.item()
    slope = (at(x.numpy() + step * d) - at(x.numpy() - step * d)) / (2 * step)
    np.testing.assert_allclose((g.numpy() * d).sum(), slope, rtol=1e-7)
    if order == 1:
        np.testing.assert_allclose(first.numpy(), g.numpy(), rtol=1e-12)
compiled = tg.compile(tg.lisht)
for _ in range(4):
    again = compiled(x.detach())
np.testing.assert_array_equal(again.numpy(), z.numpy())
loss = f(x)
assert "lisht" in tg.viz.graph(loss, check=True).dot
text = str(tg.viz.explain(loss, wrt=x, index=(0, 0)))
assert "u₁ = w · tanh w" in text and "✗" not in text, text
assert activations.lisht.__doc__.startswith("z = x · tanh x; ∂z/∂x = tanh x + ")
print(text)
"""


def test_the_op_of_the_guide_works_as_it_stands_there():
    """Differentiated three times, by its kernels, compiled, drawn and explained; in a process of its own."""
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", GUIDE],
        cwd=root,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
