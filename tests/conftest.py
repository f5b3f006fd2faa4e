"""What all tests share: the oracle's marker, and the count of op cases at the end of a run."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from cores import MOST_THREADS

from tensorgrad.autograd.function import CustomOp
from tensorgrad.autograd.op import Op
from tensorgrad.kernels.jit import dispatch

pytest_plugins = ["batches"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("torch") is not None:
        return
    skip = pytest.mark.skip(reason="PyTorch, the oracle, is not installed")
    for item in items:
        if item.get_closest_marker("oracle"):
            item.add_marker(skip)


def pytest_configure() -> None:
    """Share the cores between processes of tests that run at once.

    With more threads than cores each parallel region waits for a thread that the system has suspended, 4 ms and more.
    Tests of what threads do take the fixture `threads`, or `cores.MOST_THREADS`.
    """
    if processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
        dispatch.set_num_threads(max(1, MOST_THREADS // int(processes)))


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """Presses Ctrl-C; a signal that is ignored, as under nohup and in background jobs, is heard during the test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many threads kernels use in the test: one, and two where there are two cores."""
    if request.param > MOST_THREADS:
        pytest.skip("there is one core")
    before = dispatch.get_num_threads()
    dispatch.set_num_threads(request.param)
    yield request.param
    dispatch.set_num_threads(before)


def concrete_ops() -> set[type[Op]]:
    """Every op class of the package that can be applied, but for those that stand for a recorded call or a Function."""
    found, stack = set(), [Op]
    while stack:
        for cls in stack.pop().__subclasses__():
            stack.append(cls)
            applied = {"forward", "symbol"} & cls.__dict__.keys() and cls.forward is not Op.forward
            ours = cls.__module__.startswith("tensorgrad.") and not issubclass(cls, CustomOp)
            is_base = not cls.symbol and cls.__subclasses__()
            if ours and applied and not is_base and not cls.together:
                found.add(cls)
    return found


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Pyplot keeps every figure until it is told."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def same_numbers(request: pytest.FixtureRequest) -> None:
    """A module's generator `RNG` begins anew for each test: its numbers don't depend on the tests that ran before."""
    generator = getattr(request.module, "RNG", None)
    if generator is not None:
        seed = generator.bit_generator.seed_seq.entropy
        generator.bit_generator.state = np.random.default_rng(seed).bit_generator.state


@pytest.fixture(name="concrete_ops")
def concrete_ops_fixture() -> set[type[Op]]:
    return concrete_ops()


def cases_of(items: list[pytest.Item]) -> Iterator[Any]:
    """The cases of the table that the items run."""
    from batches import batch_of  # imported by now as a plugin, with assertions rewritten

    for item in items:
        batch = batch_of(item)
        if batch is not None and "case" in batch.arguments and not item.get_closest_marker("skip"):
            position = batch.arguments.index("case")
            yield from (values[position] for _, values in batch.cases)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if cases := set(cases_of(getattr(terminalreporter._session, "items", []))):
        rows = len({case.row.name for case in cases})
        terminalreporter.write_line(f"cases: {len(cases)} from {rows} rows, {len(concrete_ops())} ops")
