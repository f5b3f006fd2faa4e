"""Results as aligned text, at most 120 columns wide."""

from collections.abc import Sequence

from benchmarks.idle import BUSY
from benchmarks.results import Results
from benchmarks.targets import TARGETS, Target
from benchmarks.workers import MAIN, OURS, PEERS, REPLAYED
from benchmarks.workloads import Case
from tensorgrad.system.table import align, rule

WIDTH = 120
NONE = "—"


def report(results: Results) -> str:
    """All tables of a run, and its notes."""
    parts = [machine(results)]
    for section, title in (
        ("kernels", f"Kernels · batch 64, float32 · {_peak(results)}"),
        ("steps", "Steps · training: forward, cross-entropy, zero_grad, backward, SGD with momentum"),
        ("overhead", "Overhead · one op of a chain of 1000, on tensors too small to matter"),
    ):
        if cases := [case for case in results.cells if case.section == section]:
            parts.append(cells(title, cases, results))
    if results.startup:
        parts.append(startup(results))
    if results.memory:
        parts.append(memory(results))
    parts.append(targets(results))
    parts += [notes(results)] if results.notes else []
    return "\n\n".join(parts) + "\n"


def machine(results: Results) -> str:
    found = ", ".join(f"{PEERS[name].title} {version}" for name, version in results.versions.items())
    cpu, date = results.machine.get("cpu", "?"), results.machine.get("date", "?")
    lines = [f"{cpu}, {results.machine.get('cores', '?')} cores, {results.threads} threads each · {date}", found]
    if busy(results):
        others = results.machine["others"]
        lines.append(f"WARNING: other programs used {others:.1f} cores meanwhile: measure on an idle machine.")
    lines.append("Ratios: a library's median time over tensorgrad's; above 1×, tensorgrad is faster.")
    return "\n".join(lines)


def busy(results: Results) -> bool:
    """Whether other programs took so much that ratios say little."""
    return (results.machine.get("others") or 0) > BUSY


def cells(title: str, cases: Sequence[Case], results: Results) -> str:
    """A row per case: our times and rate, PyTorch's time, everybody's ratio; PyTorch's to our compiled function too."""
    measured = {name for case in cases for name, cell in results.cells[case].items() if cell.rounds}
    peers = [name for name in PEERS if name in measured and name not in (OURS, REPLAYED, MAIN)]
    rates, main, replayed = cases[0].section == "kernels", MAIN in measured, REPLAYED in measured
    head = ["", "", PEERS[OURS].title]
    head += [PEERS[REPLAYED].title] if replayed else []
    head += ["GFLOP/s", "of peak"] if rates else []
    head += [PEERS[MAIN].title, "ratio"] if main else []
    head += ["compiled"] if main and replayed else []
    rows, before = [], ""
    for case in cases:
        row = ["" if case.name == before else case.name, case.part, _time(results, case, OURS)]
        row += [_time(results, case, REPLAYED)] if replayed else []
        row += [number(results.rate(case)), percent(results.share(case.key))] if rates else []
        row += [_time(results, case, MAIN), times(results.ratio(case.key))] if main else []
        row += [times(results.ratio(case.key, ours=REPLAYED))] if main and replayed else []
        rows.append(row + [times(results.ratio(case.key, peer)) for peer in peers])
        before = case.name
    return table(title, [*head, *(PEERS[name].title for name in peers)], rows, left=2)


def startup(results: Results) -> str:
    head = ["", "import", "to the end of the first step", "with an empty kernel cache"]
    rows = [
        [PEERS[name].title, *(duration(found.get(key)) for key in ("import", "first step", "empty cache"))]
        for name, found in results.startup.items()
    ]
    return table("Start-up · a fresh process, LeNet-5 at batch 64, from the start of the import", head, rows)


def memory(results: Results) -> str:
    head = ["", "peak", "beyond the import", "page faults per step"]
    rows = [
        [PEERS[name].title, f"{found['peak']:.0f} MiB", f"{found['training']:.0f} MiB", f"{found['faults']:.0f}"]
        for name, found in results.memory.items()
    ]
    return table("Memory · training the MNIST CNN at batch 256, a fresh process", head, rows)


def targets(results: Results) -> str:
    """The goals, what was measured, and which are met."""
    rows, met, judged = [], 0, 0
    for target in TARGETS:
        measured, passed = target.verdict(results)
        met, judged = met + (passed is True), judged + (passed is not None)
        goal = f"{'≤' if target.at_most else '≥'} {_figure(target, target.goal)}"
        rows.append([target.name, goal, _figure(target, measured), {True: "✓", False: "✗", None: NONE}[passed]])
    busily = ", on a busy machine" * busy(results)
    title = f"Targets · steps with tg.compile where that is faster · {met} of {judged} measured are met{busily}"
    return table(title, ["", "goal", "measured", ""], rows)


def notes(results: Results) -> str:
    """What was left out, and why."""
    lines = ["Notes"]
    for what, places in results.notes.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        lines.append(f"  {what} ({places[0]}{more})"[:WIDTH])
    return "\n".join(lines)


# ----------------------------------------------------------------------------------------------------------- the parts


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns under their heads, a rule between; the first `left` columns flush left, the others right."""
    heading, *body = align([head, *rows], "l" * left + "r" * (len(head) - left))
    line = rule([heading, *body])
    return "\n".join([title, line, heading, line, *body, line])


def duration(seconds: float | None) -> str:
    """Three digits and a unit that suits: 1.23 s, 45.6 ms, 789 µs."""
    if seconds is None:
        return NONE
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size or unit == "µs":
            return f"{number(seconds / size)} {unit}"
    raise AssertionError("the last unit takes all")


def number(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return NONE
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def times(value: float | None) -> str:
    return NONE if value is None else f"{number(value)}×"


def percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.0%}"


def _figure(target: Target, value: float | None) -> str:
    if value is None:
        return NONE
    shown = {"×": times, "%": percent, "s": duration, "": lambda v: f"{v:.0f}"}
    return shown[target.unit](value)


def _time(results: Results, case: Case, name: str) -> str:
    seconds = results.seconds(case.key, name)
    return duration(seconds and seconds / case.repeats)


def _peak(results: Results) -> str:
    if results.peak is None:
        return "peak not measured"
    peak = f"peak {results.threads} × {results.core_peak:.0f} = {results.peak:.0f} GFLOP/s"
    return f"{peak}, of direct arithmetic: Winograd's saves some and may pass 100%"
