"""Tests over many cases: a pytest item runs a batch of them, and reports every case that fails.

pytest and xdist spend 1–3 ms on an item, more than most cases of the table take, and each process collects all items.
Two markers therefore stand for `parametrize` where cases are many:

- `@pytest.mark.cases("case", CASES, ids=repr)` takes what `parametrize` takes: arguments, values, names of cases.
- `@pytest.mark.seeds(count)` runs a property with `seed` = 0 … count − 1; `--seeds N` runs N seeds.

An item holds up to `BATCH` cases (of a property `SEEDS` seeds) and is named after its first and its last case. Its
fixtures are set up once, before the first case. A test that takes `tmp_path` has an item for each case, since the next
case would meet the files of the one before.

A failing item raises the error of the case that failed, or a group with the errors of all that failed. Each error says
how to run its case alone: `--case NAME` selects the cases of that name, in which * and ? stand for any letters; tests
without batches are deselected.
"""

import fnmatch
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

BATCH = 100
SEEDS = 10


class Batch(NamedTuple):
    """Cases that one item runs: the names of the arguments, and for each case its name and its arguments' values."""

    arguments: tuple[str, ...]
    cases: tuple[tuple[str, tuple[Any, ...]], ...]

    def __repr__(self) -> str:
        first, last = self.cases[0][0], self.cases[-1][0]
        return first if len(self.cases) == 1 else f"{first} to {last}"


def batch_of(item: pytest.Item) -> Batch | None:
    """The batch that an item runs, or None for an item that is one case."""
    params = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return next((value for value in params if isinstance(value, Batch)), None)


def count(module: Any) -> int:
    """How many cases the tests of a module run that are marked `cases`."""
    marks = [mark for test in vars(module).values() for mark in getattr(test, "pytestmark", ())]
    return sum(len(mark.args[1]) for mark in marks if mark.name == "cases")


# ---------------------------------------------------------------------------------------------------------- collecting


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, help="generated cases per property, in place of the few that each test names")
    parser.addoption("--case", metavar="NAME", help="run the cases of this name alone; * and ? stand for any letters")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test marked `cases` or `seeds` with batches."""
    for arguments, cases, size in marked(metafunc):
        if len({name for name, _ in cases}) < len(cases):
            raise ValueError(f"{metafunc.function.__name__}: two of its cases have one name; fix: pass ids that differ")
        if (pattern := metafunc.config.getoption("--case")) is not None:
            cases = [case for case in cases if case[0] == pattern or fnmatch.fnmatchcase(case[0], pattern)]
        if "tmp_path" in metafunc.fixturenames:
            size = 1
        batches = [Batch(arguments, tuple(cases[k : k + size])) for k in range(0, len(cases), size)]
        metafunc.parametrize(arguments, [(batch,) * len(arguments) for batch in batches], ids=list(map(repr, batches)))


def marked(metafunc: pytest.Metafunc) -> Iterator[tuple[tuple[str, ...], list[tuple[str, tuple[Any, ...]]], int]]:
    """For each such marker of a test: the names of the arguments, the cases, and how many of them are one batch."""
    for mark in metafunc.definition.iter_markers("cases"):
        names, values = mark.args
        arguments = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)
        yield arguments, named(values, mark.kwargs.get("ids", repr), len(arguments)), BATCH
    for mark in metafunc.definition.iter_markers("seeds"):
        seeds = range(metafunc.config.getoption("--seeds") or mark.args[0])
        yield ("seed",), [(str(seed), (seed,)) for seed in seeds], SEEDS


def named(values: Sequence[Any], ids: Any, count: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Each case's name and arguments; `ids` names one value, and the names of several are joined, as pytest does."""
    cases = []
    for value in values:
        if hasattr(value, "values") and hasattr(value, "marks"):  # pytest.param(..., id=...)
            cases.append((value.id, tuple(value.values)))
        else:
            parts = (value,) if count == 1 else tuple(value)
            cases.append(("-".join(map(ids, parts)), parts))
    return cases


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--case`, leave only the batches, which hold that case."""
    if config.getoption("--case") is not None:
        kept = [item for item in items if batch_of(item) is not None]
        config.hook.pytest_deselected(items=[item for item in items if batch_of(item) is None])
        items[:] = kept


# -------------------------------------------------------------------------------------------------------------- running


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the test for each case of its batch; raise what failed, all of it."""
    batch = batch_of(pyfuncitem)
    if batch is None:
        return None
    pyfuncitem.user_properties.append(("cases", len(batch.cases)))
    given = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    failures, skipped = [], []
    for name, values in batch.cases:
        try:
            pyfuncitem.obj(**given | dict(zip(batch.arguments, values, strict=True)))
        except pytest.skip.Exception as skip:
            skipped.append(skip)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"case: {name}, alone: {alone(pyfuncitem, batch, name)}")
            failures.append((name, error))
    if len(failures) == 1:
        raise failures[0][1]
    if failures:
        names = ", ".join(name for name, _ in failures)
        message = f"{len(failures)} of {len(batch.cases)} cases failed: {names}"
        raise BaseExceptionGroup(message, [error for _, error in failures])
    if len(skipped) == len(batch.cases):
        raise skipped[0]
    return True


def alone(item: pytest.Function, batch: Batch, name: str) -> str:
    """The command that runs this case of an item's test alone."""
    seeds = f" --seeds {int(name) + 1}" if item.get_closest_marker("seeds") else ""
    return f"pytest '{item.nodeid.replace(repr(batch), name)}' --case '{name}'{seeds}"


# ------------------------------------------------------------------------------------------------------------- counting


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many cases ran, in how many items: a case that is lost shows here."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    ran = [report for report in reports if getattr(report, "when", None) == "call"]
    cases = sum(dict(report.user_properties).get("cases", 1) for report in ran)
    if cases > len(ran):
        terminalreporter.write_line(f"{cases} cases ran, in {len(ran)} items")
