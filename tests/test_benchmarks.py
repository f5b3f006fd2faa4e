"""The benchmarks as a program: all measure the same work, what goes wrong is said, nothing hangs. No timings."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import report, sections, workloads
from benchmarks.processes import Died, Process
from benchmarks.protocol import load, measure
from benchmarks.results import Cell, Results
from benchmarks.targets import TARGETS, Target
from benchmarks.workers import PEERS

ROOT = Path(__file__).parent.parent


def worker(code):
    """A worker that greets and then does as the code says."""
    greeting = 'import sys, time, os; print(\'{"version": "0"}\', flush=True)\n'
    return [sys.executable, "-c", greeting + code]


ANSWERS = 'for _ in sys.stdin: print(\'{"number": 1.0, "median": 2.0}\', flush=True)'
DIES = 'sys.stdin.readline(); sys.exit("no such instruction")'
HANGS = "sys.stdin.readline(); time.sleep(1000)"
TINY = sections.Settings(turn=0.001, rounds=2, warmup=0.001, limit=300, processes=1)


# ------------------------------------------------------------------------------------------------------------ a run


def test_a_run_measures_and_writes_what_it_found(tmp_path):
    out = tmp_path / "deep" / "bench.json"
    cases = ["conv 5×5 6→16@14, forward", "LeNet-5, training, batch 1"]
    options = ["--quick", "--rounds", "2", "--turn", "0.01", "--only", "kernels", "steps", "--peers", "--out", out]
    command = [sys.executable, "-m", "benchmarks", *options, "--cases", *cases]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(out.read_text(encoding="utf-8"))
    # the text names a batch of 1, of 1 and of no other: training, batch 1 alone
    assert [cell["name"] for cell in found["cells"]] == ["conv 5×5 6→16@14", "LeNet-5"]
    for cell in found["cells"]:
        ours = cell["libraries"]["tensorgrad"]
        assert len(ours["rounds"]) == 2 and ours["median"] == pytest.approx(sum(ours["rounds"]) / 2)
        assert ours["number"] > 0 and ours["skipped"] == ""
    assert found["threads"] == found["machine"]["cores"]
    assert found["fma_peak_gflops_per_core"] > 1
    assert set(found["versions"]) == {"tensorgrad"}
    assert {t["name"] for t in found["targets"]} == {t.name for t in TARGETS}
    assert "conv 5×5 6→16@14  forward" in run.stdout
    assert "steps: LeNet-5, training, batch 1: tensorgrad" in run.stderr


def test_fresh_processes_tell_start_up_and_memory():
    results = Results(threads=1)
    team = sections.Team(["tensorgrad"], TINY, results)
    sections.memory(team, print)
    found = results.memory["tensorgrad"]
    assert 0 < found["training"] < found["peak"] < 4000 and found["faults"] >= 0
    assert sections._once(team, "tensorgrad", "first-step").keys() == {"import", "first step"}
    assert not results.notes


def test_a_turn_has_some_calls_but_no_more_than_fit():
    assert len(measure(lambda: None, seconds=0, least=1)) <= 1
    calls = measure(lambda: time.sleep(0.02), seconds=0.001, least=3)
    assert len(calls) == 1 and calls[0] >= 0.02


# ------------------------------------------------------------------------------------------------- what goes wrong


@pytest.fixture(name="team")
def a_team(monkeypatch):
    """A team of made-up workers: `team(pytorch=code)`."""
    teams = []

    def make(settings=TINY, **codes):
        monkeypatch.setattr(sections, "command", lambda name, threads, *once: worker(codes[name]))
        teams.append(sections.Team(codes, settings, Results(threads=1)))
        return teams[-1]

    yield make
    for made in teams:
        made.stop()


CASE = workloads.step("LeNet-5", 64)


def test_a_worker_that_dies_is_noted_and_the_others_go_on(team):
    some = team(tensorgrad=ANSWERS, pytorch=DIES)
    cells = some.measure(CASE)
    assert cells["tensorgrad"].rounds == [2.0, 2.0]
    assert cells["pytorch"].rounds == [] and "no such instruction" in cells["pytorch"].skipped
    assert list(some.results.notes.values()) == [[CASE.key]]
    assert set(some.measure(CASE)) == {"tensorgrad"}, "who died is left out of the section"


def test_a_worker_over_the_limit_is_ended(team):
    settings = sections.Settings(turn=0.001, rounds=1, limit=0.5)
    some = team(settings, tensorgrad=ANSWERS, pytorch=HANGS)
    start = time.monotonic()
    cells = some.measure(CASE)
    assert time.monotonic() - start < 20
    assert cells["tensorgrad"].rounds == [2.0]
    assert cells["pytorch"].skipped == "no answer within 0.5 s"


def test_other_work_is_warned_of(team):
    other = ANSWERS.replace("1.0", "1.1")
    some = team(tensorgrad=ANSWERS, pytorch=other, jax=ANSWERS.replace("1.0", "1.0001"), mygrad="1/0")
    some.measure(CASE)
    warnings = [note for note in some.results.notes if note.startswith("WARNING")]
    assert len(warnings) == 1 and "PyTorch computes 1.1, tensorgrad 1" in warnings[0]


def test_a_worker_that_cannot_start_is_an_error_with_its_words():
    process = Process([sys.executable, "-c", "raise SystemExit('no numba here')"], threads=1)
    with pytest.raises(Died, match="ended with code 1: no numba here"):
        process.reply(limit=300)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the state of a process")
def test_a_worker_stands_still_between_its_turns():
    process = Process(worker("while sys.stdin.readline():\n print('{}', flush=True)\n while 1: pass"), threads=1)
    try:
        process.reply(limit=300)
        process.ask(limit=300)
        stat = Path(f"/proc/{process._process.pid}/stat")
        end = time.monotonic() + 20
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < end
    finally:
        process.stop()
    assert not stat.exists()


# ---------------------------------------------------------------------------------------------- figures and tables


def made_up(ours=1.0, theirs=2.0):
    """Every case measured: PyTorch takes `theirs / ours` times as long."""
    results = Results(threads=2, core_peak=100.0)
    for cases in workloads.CASES.values():
        for case in cases():
            results.cells[case] = {"tensorgrad": Cell([ours] * 3), "pytorch": Cell([theirs, 0.1, 1000.0])}
    results.startup = {"tensorgrad": {"import": 0.1, "first step": 0.7, "empty cache": 12.0}}
    results.startup["pytorch"] = {"import": 1.0, "first step": 1.4}
    results.memory = {"tensorgrad": {"peak": 400.0, "training": 300.0, "faults": 2.0}}
    results.memory["pytorch"] = {"peak": 300.0, "training": 200.0, "faults": 2000.0}
    return results


def test_verdicts():
    found = {target.name: target.verdict(made_up()) for target in TARGETS}
    assert found["training LeNet-5, batch 64"] == (2.0, False)  # ≥ 4
    assert found["training MNIST CNN, batch 8"] == (2.0, True)  # ≥ 2: the goal itself is enough
    assert found["training small VGG, batch 64"] == (2.0, True)
    assert found["convolution forward, geometric mean"] == (pytest.approx(2.0), True)
    assert found["peak memory, MNIST CNN, batch 256"] == (0.75, False)
    assert found["page faults per training step"] == (2.0, True)
    assert found["first step, warm cache"] == (0.7, True)
    assert found["first step, warm cache, beside PyTorch"] == (2.0, True)
    assert found["first step, empty cache"] == (12.0, True)


def test_a_share_of_the_peak_is_that_of_all_threads():
    results = made_up(ours=0.01)
    key = "kernels: conv 3×3 64→64@16, forward"
    flops = 2 * 64 * 64 * 16 * 16 * 64 * 9
    assert results.share(key) == pytest.approx(flops / 0.01 / 200e9)
    with_both = next(case for case in results.cells if case.key == key.replace("forward", "with both"))
    assert with_both.flops == 3 * flops


def test_nothing_measured_is_neither_met_nor_missed():
    assert {target.verdict(Results(threads=1)) for target in TARGETS} == {(None, None)}
    text = report.targets(Results(threads=1))
    assert "0 of 0" in text and "✓" not in text and "✗" not in text


def test_a_goal_that_must_not_be_passed():
    target = Target("seconds", 1.5, "s", lambda _: 1.6, at_most=True)
    assert target.verdict(Results(threads=1)) == (1.6, False)


def test_every_target_reads_cells_that_exist():
    assert all(target.verdict(made_up())[1] is not None for target in TARGETS)


def test_a_report_fits_its_columns():
    results = made_up(0.0123, 123.4)
    for case, cells in results.cells.items():
        cells |= {name: Cell([99.0]) for name in PEERS if name not in cells and case.section in PEERS[name].sections}
    results.machine["others"] = 0.8
    results.note("WARNING: " + "long " * 100, "somewhere")
    lines = report.report(results).splitlines()
    assert max(map(len, lines)) <= report.WIDTH
    (row,) = (line for line in lines if line.startswith("LeNet-5") and "training, batch 1 " in line)
    assert "other programs used 0.8 cores" in lines[2] and "on a busy machine" in report.targets(results)
    assert "12.3 ms" in row and "123 s" in row and "10033×" in row


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "—"),
        (123.4, "123 s"),
        (1.0, "1.00 s"),
        (0.99999, "1000 ms"),
        (0.04567, "45.7 ms"),
        (9.996e-3, "10.0 ms"),
        (123.4e-6, "123 µs"),
        (1.5e-8, "0.01 µs"),
    ],
)
def test_durations(seconds, shown):
    assert report.duration(seconds) == shown


def test_tables_align():
    text = report.table("Title", ["", "time", "ratio"], [["a long name", "1 s", "1.44×"], ["b", "12.3 ms", "—"]])
    assert text.splitlines() == [
        "Title",
        "─" * 27,
        "                time  ratio",
        "─" * 27,
        "a long name      1 s  1.44×",
        "b            12.3 ms      —",
        "─" * 27,
    ]


# -------------------------------------------------------------------------------------------------- the same work

SMALL = [case for cases in workloads.CASES.values() for case in cases() if "batch 256" not in case.part]


def numbers(name, case):
    """What the first calls computed: three, since a training step shows its gradient in the next, its momentum then."""
    library = load(name)
    call = getattr(library, case.kind)(**case.params)
    return [library.number(call()) for _ in range(3)]


@pytest.mark.oracle
@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.key)
def test_pytorch_does_the_same_work(work):
    pytest.importorskip("torch")
    np.testing.assert_allclose(numbers("pytorch", work), numbers("tensorgrad", work), rtol=sections.CLOSE)


@pytest.mark.parametrize("name", ["jax", "tinygrad", "mygrad"])
def test_other_peers_do_the_same_work(name):
    pytest.importorskip(PEERS[name].package)
    if name == "tinygrad" and not shutil.which("clang"):
        pytest.skip("tinygrad's CPU backend needs clang")
    case = workloads.step("LeNet-5", 8)
    np.testing.assert_allclose(numbers(name, case), numbers("tensorgrad", case), rtol=sections.CLOSE)
