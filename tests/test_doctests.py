"""Every example in every docstring of the package runs and says what it shows."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tensorgrad as tg


def modules():
    for package in (tg, importlib.import_module("tensorgrad.nn"), importlib.import_module("tensorgrad.viz")):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Importing a `__main__` runs it.
            if not module.name.endswith("__main__"):
                yield module.name


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in sorted(set(modules())):
        for test in finder.find(importlib.import_module(name)):
            if test.examples:
                yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("test", list(examples()))
def test_docstring_example(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    failures, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not failures, "".join(said)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("tensorgrad/ops/elementwise/transcendental.py", "tensorgrad.ops.operands"),
        ("tests/cases/transcendental.py", "cases.table"),
    ],
)
def test_the_guide_to_ops_adds_to_the_imports_that_are_there(file, source):
    root = Path(__file__).parent.parent
    line = re.compile(rf"^from {re.escape(source)} import (.*)$", re.MULTILINE)
    told, there = (
        set(line.search((root / name).read_text(encoding="utf-8"))[1].split(", "))
        for name in ("docs/adding-an-op.md", file)
    )
    assert len(told - there) == 1
    assert not there - told
