"""The benchmarks as a program: all measure the same work, what goes wrong is said, nothing hangs. No timings."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import browser, inputs, layers, report, sections, tables, text, workloads
from benchmarks.__main__ import parse
from benchmarks.networks import NETWORKS
from benchmarks.processes import Died, Process
from benchmarks.protocol import load, measure, tuples
from benchmarks.results import Cell, Results
from benchmarks.targets import TARGETS, Target, each, mean
from benchmarks.workers import PEERS, Unsupported
from benchmarks.workers.functional import Ops

ROOT = Path(__file__).parent.parent


def worker(code):
    """A worker that greets and then does as the code says."""
    greeting = 'import sys, time, os; print(\'{"version": "0"}\', flush=True)\n'
    return [sys.executable, "-c", greeting + code]


ANSWERS = 'for _ in sys.stdin: print(\'{"number": 1.0, "median": 2.0, "faults": 3.0}\', flush=True)'
DIES = 'sys.stdin.readline(); sys.exit("no such instruction")'
HANGS = "sys.stdin.readline(); time.sleep(1000)"
TINY = sections.Settings(turn=0.001, rounds=2, warmup=0.001, limit=300, processes=1)


# ------------------------------------------------------------------------------------------------------------ a run


@pytest.mark.slow
def test_a_run_measures_and_writes_what_it_found(tmp_path):
    out = tmp_path / "deep" / "bench.json"
    cases = ["conv 5×5 6→16@14, forward", "LeNet-5, batch 1", "LeNet-5, batch 256"]
    options = ["--rounds", "2", "--turn", "0.01", "--only", "kernels", "steps", "--networks", "LeNet-5", "--peers"]
    options += ["--out", out]
    command = [sys.executable, "-m", "benchmarks", *options, "--cases", *cases]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [cell["name"] for cell in found["cells"]] == ["conv 5×5 6→16@14", "LeNet-5", "LeNet-5"]
    memory = [cell["libraries"]["tensorgrad"]["memory"] for cell in found["cells"]]
    assert memory[0] is None and 0 < memory[1] < memory[2] < 4000, "each case had a process of its own"
    for cell in found["cells"]:
        ours = cell["libraries"]["tensorgrad"]
        assert len(ours["rounds"]) == 2 and ours["median"] == pytest.approx(sum(ours["rounds"]) / 2)
        assert ours["number"] > 0 and ours["skipped"] == ""
    assert found["threads"] == found["machine"]["cores"]
    assert found["fma_peak_gflops_per_core"] > 1
    assert set(found["versions"]) == {"tensorgrad"}
    assert {t["name"] for t in found["targets"]} == {t.name for t in TARGETS}
    assert "conv 5×5 6→16@14  forward" in run.stdout
    assert "steps: LeNet-5, batch 1: tensorgrad" in run.stderr


def test_fresh_processes_tell_start_up():
    results = Results(threads=1)
    team = sections.Team(["tensorgrad"], TINY, results)
    assert sections._once(team, "tensorgrad", "first-step").keys() == {"import", "first step"}
    assert not results.notes


def test_networks_are_chosen_by_name():
    options = parse(["--networks", "ResNet-20, MLP"])
    assert (options.networks, options.only) == (["ResNet-20", "MLP"], ("steps", "inference"))
    settings = sections.Settings(networks=options.networks)
    chosen = [case.key for cases in workloads.CASES.values() for case in cases() if settings.chosen(case)]
    assert [key for key in chosen if key.startswith("steps")] == ["steps: ResNet-20, batch 32", "steps: MLP, batch 64"]
    assert "kernels: matmul 512×512×512, forward" in chosen, "a section without networks is measured whole"
    with pytest.raises(SystemExit):
        parse(["--networks", "ResNet-21"])


def test_a_quick_run_is_of_pytorch_and_chosen_cases():
    assert parse(["--quick"]).peers == ["replayed", "pytorch"] and "jax" in parse([]).peers
    assert parse(["--quick", "--peers", "kept"]).peers == ["kept"]
    chosen = [case.key for case in workloads.steps() if sections.QUICK.chosen(case)]
    assert len(chosen) == len(NETWORKS) and "steps: LeNet-5, batch 64" in chosen


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


def test_wrong_numbers_get_no_time(team):
    other, close = (ANSWERS.replace("1.0", number) for number in ("1.01", "1.00001"))
    some = team(tensorgrad=ANSWERS, pytorch=close, bf16=other, jax=other)
    cells = some.measure(CASE)
    assert cells["jax"].rounds == [] and "JAX jit computes 1.01, PyTorch 1" in cells["jax"].skipped
    assert {len(cells[name].rounds) for name in ("tensorgrad", "pytorch", "bf16")} == {2}, "bfloat16 may be 5 % off"
    assert len(some.results.notes) == 1


def test_tensorgrad_is_wrong_where_it_differs_from_pytorch(team):
    cells = team(tensorgrad=ANSWERS.replace("1.0", "1.0002"), pytorch=ANSWERS).measure(CASE)
    assert cells["tensorgrad"].rounds == [] and cells["pytorch"].rounds == [2.0, 2.0]


def test_a_setting_is_the_environment_of_its_worker(team):
    kept = 'os.environ.get("MALLOC_TRIM_THRESHOLD_", 7)'
    code = ANSWERS.replace("2.0", "%s").replace("}'", f"}}' % {kept}")
    cells = team(pytorch=code, kept=code).measure(CASE)
    assert (cells["pytorch"].seconds, cells["kept"].seconds) == (7, 1 << 30)


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
            for name, peer in PEERS.items():
                if case.section in peer.sections and name not in results.cells[case]:
                    results.cells[case][name] = Cell([ours] * 3)
            if case.fresh:
                for cell, memory, faults in zip(
                    results.cells[case].values(), (400.0, 300.0), (2.0, 2000.0), strict=False
                ):
                    cell.memory, cell.faults = memory, [faults]
    results.startup = {"tensorgrad": {"import": 0.1, "first step": 0.7, "empty cache": 12.0}}
    results.startup["pytorch"] = {"import": 1.0, "first step": 1.4}
    page = {"ops": 3000, "record": 4.0, "svg": 6.0, "page": 7.0, "size": 2e7}
    results.pages = {"loop": page | {"ready": 2.0, "key": 0.02}, "RNN": page | {"svg": 11.0}}
    return results


def test_verdicts():
    found = {target.name: target.verdict(made_up()) for target in TARGETS}
    assert found["training LeNet-5, batch 64"] == (2.0, False)  # ≥ 4
    assert found["training MNIST CNN, batch 8"] == (2.0, True)  # ≥ 2: the goal itself is enough
    assert found["training small VGG, batch 64"] == (2.0, True)
    assert found["convolution forward, geometric mean"] == (pytest.approx(2.0), True)
    assert found["peak memory, MNIST CNN, batch 256"] == (0.75, False)
    assert found["page faults per step, MNIST CNN, batch 256"] == (2.0, True)
    assert found["training compiled over op by op, each"] == (1.0, True)
    assert found["training compiled over eager, geometric mean"] == (pytest.approx(2.0), False)  # ≥ 2.3
    assert found["inference compiled over ONNX Runtime, each"] == (1.0, True)
    assert found["first step, warm cache"] == (0.7, True)
    assert found["first step, warm cache, beside PyTorch"] == (2.0, True)
    assert found["a large graph's SVG"] == (11.0, False)
    assert found["a large graph's page, per key"] == (0.02, True)
    assert found["first step, empty cache"] == (12.0, True)


def test_a_share_of_the_peak_is_that_of_all_threads():
    results = made_up(ours=0.01)
    key = "kernels: conv 3×3 64→64@16, forward"
    flops = 2 * 64 * 64 * 16 * 16 * 64 * 9
    assert results.share(key) == pytest.approx(flops / 0.01 / 200e9)
    with_both = next(case for case in results.cells if case.key == key.replace("forward", "with both"))
    assert with_both.flops == 3 * flops


def test_a_page_tells_what_its_script_measured():
    program = browser.find_browser()
    if program is None:
        pytest.skip("no browser")
    page = "<html><body><p>text</p></body></html>"
    assert browser.measure(program, page, 'return { text: document.querySelector("p").textContent };') == {
        "text": "text"
    }
    assert "RNN" in report.report(made_up())


def test_nothing_measured_is_neither_met_nor_missed():
    assert {target.verdict(Results(threads=1)) for target in TARGETS} == {(None, None)}
    shown = report.targets(Results(threads=1))
    assert "0 of 0" in shown and "✓" not in shown and "✗" not in shown


def test_the_least_of_many_is_named_and_a_mean_needs_all():
    results = Results(threads=1)
    cases = [workloads.step(name, NETWORKS[name].batch) for name in ("ResNet-20", "DS-CNN", "MLP")]
    for case, theirs in zip(cases[:2], (8.0, 2.0), strict=True):
        results.cells[case] = {"tensorgrad": Cell([1.0]), "pytorch": Cell([theirs])}
    least = each("training", 3, cases)
    assert least.verdict(results) == (2.0, False) and least.where(results) == "DS-CNN"
    assert mean("training", 3, cases).verdict(results) == (None, None)
    assert mean("training", 3, cases[:2]).verdict(results) == (pytest.approx(4.0), True)
    (table, _) = tables.steps(cases[:2], results)
    assert table.splitlines()[-2].split() == ["geometric", "mean", "4.00×"], "of the only ratio, below the rows"


def test_a_goal_that_must_not_be_passed():
    target = Target("seconds", 1.5, "s", lambda _: 1.6, at_most=True)
    assert target.verdict(Results(threads=1)) == (1.6, False)


def test_every_target_reads_cells_that_exist():
    assert all(target.verdict(made_up())[1] is not None for target in TARGETS)


@pytest.mark.parametrize("absent", [[], ["onnx"]])
def test_a_report_fits_its_columns(absent):
    results = made_up(0.0123, 123.4)
    for cells in results.cells.values():
        for name in cells:
            seconds = {"tensorgrad": 0.0123, "pytorch": 123.4}.get(name, 99.0)
            cells[name] = Cell([seconds], memory=9999.0, faults=[99999.0])
        for name in absent:
            cells.pop(name, None)
    results.machine["others"] = 0.8
    results.note("WARNING: " + "long " * 100, "somewhere")
    results.absent = absent
    lines = report.report(results).splitlines()
    assert max(map(len, lines)) <= report.WIDTH
    row = next(line for line in lines if line.startswith("LeNet-5") and "batch 1 " in line)
    assert sum("not installed" in line for line in lines) == 2 * len(absent), "in its column, and below"
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
    assert text.duration(seconds) == shown


def test_tables_align():
    shown = text.table("Title", ["", "time", "ratio"], [["a long name", "1 s", "1.44×"], ["b", "12.3 ms", "—"]])
    assert shown.splitlines() == [
        "Title",
        "─" * 27,
        "                time  ratio",
        "─" * 27,
        "a long name      1 s  1.44×",
        "b            12.3 ms      —",
        "─" * 27,
    ]


# ------------------------------------------------------------------------------------------------- the layer language

EVERY_KIND = (
    ("conv", 4, 8, 3, {"stride": 2, "padding": 1, "bias": False}),
    *(("batchnorm", 8), ("silu",), ("conv", 8, 8, (3, 3), {"padding": (2, 2), "dilation": 2, "groups": 8}), ("relu6",)),
    ("product", (), (("average",), ("conv", 8, 8, 1), ("sigmoid",))),
    ("concat", (), (("maxpool", 2), ("transposed", 8, 4, 4, {"stride": 2, "padding": 1}), ("tanh",))),
    ("concat", (("avgpool", 2),), (("sum", (("maxpool", 2),), (("avgpool", 2),)), ("relu",))),
    *(("upsample", 2), ("flatten",), ("dropout", 0.0), ("linear", 1536, 5)),
)
X = (3, 4, 16, 16)
SERIES = (
    *(("conv", 4, 8, 3, {"padding": 2, "dilation": 2}), ("batchnorm", 8), ("maxpool", 2), ("upsample", 2)),
    *(("transposed", 8, 4, 4, {"stride": 2, "padding": 1}), ("avgpool", 2), ("average",)),
)


@pytest.mark.parametrize(
    ("network", "x"),
    [(EVERY_KIND, X), (EVERY_KIND[:9], X), (SERIES, (2, 4, 12)), *((n.layers, n.shape(2)) for n in NETWORKS.values())],
    ids=["every kind", "every kind with pixels", "series", *NETWORKS],
)
def test_shapes_follow_from_the_data(network, x):
    output = load("tensorgrad").inference(layers=network, x=x)()
    assert layers.output_shape(network, x) == output.shape


def test_weights_follow_from_the_data():
    conv, norm, depthwise, *_ = found = inputs.weights(EVERY_KIND, X)
    assert conv[0].shape == (8, 4, 3, 3) and conv[1] is None and depthwise[0].shape == (8, 1, 3, 3)
    assert [part.shape for part in norm] == [(8,), (8,)] and 0.5 <= norm[0].min() < norm[0].max() <= 1.5
    assert found[4][0].shape == (8, 4, 4, 4) and found[4][1].shape == (4,)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(found, inputs.weights(EVERY_KIND, X), strict=True))


@pytest.mark.parametrize(
    ("layer", "x", "expected"),
    [
        (("conv", 3, 8, 3, {"stride": 2, "padding": 1}), (2, 3, 8, 8), 2 * (2 * 8 * 4 * 4) * (3 * 9)),
        (("conv", 6, 6, 5, {"groups": 6, "padding": 2}), (1, 6, 9, 9), 2 * (6 * 9 * 9) * 25),
        (("transposed", 4, 2, 2, {"stride": 2}), (1, 4, 5, 5), 2 * (4 * 5 * 5) * (2 * 4)),
        (("linear", 7, 3), (5, 7), 2 * 5 * 7 * 3),
        (("sum", (("linear", 7, 3),), (("linear", 7, 3), ("relu",))), (5, 7), 2 * 2 * 5 * 7 * 3),
    ],
)
def test_arithmetic_follows_from_the_data(layer, x, expected):
    assert layers.flops([layer], x) == expected


def test_numbers_are_compared_without_dropout():
    network = (("dropout", 0.5), ("sum", (), (("dropout", 0.1), ("linear", 4, 4))), ("relu",))
    alike = workloads.alike({"layers": network, "x": (2, 4)})
    assert alike == {
        "layers": (("dropout", 0.0), ("sum", (), (("dropout", 0.0), ("linear", 4, 4))), ("relu",)),
        "x": (2, 4),
    }
    assert workloads.alike({"n": 4}) == {"n": 4}


def test_a_case_survives_its_way_to_the_worker():
    for cases in workloads.CASES.values():
        for case in cases():
            assert tuples(json.loads(json.dumps(case.params))) == case.params


def test_functions_as_networks():
    x, w, b = np.arange(6.0).reshape(2, 3), np.ones((3, 3)), np.arange(3.0)
    network = (("sum", (), (("linear", 3, 3),), ()), ("product", (), (("linear", 3, 3),)))
    y = 2 * x + x @ w.T + b
    np.testing.assert_allclose(Ops().run(network, [(w, b), (w, b)], x), y * (y @ w.T + b))
    with pytest.raises(Unsupported, match="no layer of the kind upsample"):
        Ops().run([("upsample", 2)], [], x)


# -------------------------------------------------------------------------------------------------- the same work

SMALL = [case for cases in workloads.CASES.values() for case in cases() if "batch 256" not in case.part]


def numbers(name, case):
    """What the first calls computed: three, since a training step shows its gradient in the next, its momentum then."""
    library = load(name)
    call = getattr(library, case.kind)(**workloads.alike(case.params))
    return [library.number(call()) for _ in range(3)]


@pytest.mark.oracle
@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.key)
def test_pytorch_does_the_same_work(work):
    pytest.importorskip("torch")
    np.testing.assert_allclose(numbers("pytorch", work), numbers("tensorgrad", work), rtol=work.close)


@pytest.mark.oracle
@pytest.mark.parametrize("setting", ["channels_last", "bf16", "onnx"])
@pytest.mark.parametrize(("network", "x"), [(EVERY_KIND, X), (SERIES, (2, 4, 12))], ids=["every kind", "series"])
def test_pytorchs_settings_do_the_same_work(setting, network, x):
    pytest.importorskip(PEERS[setting].package)
    kind = "inference" if setting == "onnx" else "step"
    params = {"layers": network, "x": x} | ({"loss": "mse"} if kind == "step" else {})
    case = workloads.Case("steps", "made up", "batch", kind, params)
    if setting == "channels_last" and len(x) < 4:
        with pytest.raises(Unsupported, match="for images"):
            numbers(setting, case)
        return
    close = PEERS[setting].close or 1e-4
    np.testing.assert_allclose(numbers(setting, case), numbers("pytorch", case), rtol=close)


@pytest.mark.parametrize("name", ["jax", "tinygrad", "mygrad"])
def test_other_peers_do_the_same_work(name):
    pytest.importorskip(PEERS[name].package)
    if name == "tinygrad" and not shutil.which("clang"):
        pytest.skip("tinygrad's CPU backend needs clang")
    networks = [(NETWORKS["LeNet-5"].layers, (8, 1, 28, 28), "cross-entropy"), (EVERY_KIND, X, "cross-entropy")]
    networks += [(SERIES, (2, 4, 12), "mse")]
    for network, x, loss in networks[: 1 if name == "mygrad" else None]:  # it lacks some kinds
        case = workloads.Case("steps", "made up", "batch", "step", {"layers": network, "x": x, "loss": loss})
        np.testing.assert_allclose(numbers(name, case), numbers("tensorgrad", case), rtol=1e-4)
