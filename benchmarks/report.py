"""Results as aligned text, at most 120 columns wide."""

from benchmarks.idle import BUSY
from benchmarks.results import Results
from benchmarks.tables import TABLES
from benchmarks.targets import TARGETS, Target
from benchmarks.text import NONE, duration, number, percent, table, times
from benchmarks.workers import PEERS

WIDTH = 120


def report(results: Results) -> str:
    """All tables of a run, and its notes."""
    parts = [machine(results)]
    for section, make in TABLES.items():
        if cases := [case for case in results.cells if case.section == section]:
            parts += make(cases, results)
    if results.startup:
        parts.append(startup(results))
    if results.pages:
        parts.append(pages(results))
    parts.append(targets(results))
    parts += [notes(results)] if results.notes or results.absent else []
    return "\n\n".join(parts) + "\n"


def machine(results: Results) -> str:
    versions = {
        PEERS[name].package: f"{PEERS[name].title} {results.versions[name]}" for name in reversed(results.versions)
    }
    found = ", ".join(reversed(versions.values()))
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


def startup(results: Results) -> str:
    head = ["", "import", "to the end of the first step", "with an empty kernel cache"]
    rows = [
        [PEERS[name].title, *(duration(found.get(key)) for key in ("import", "first step", "empty cache"))]
        for name, found in results.startup.items()
    ]
    return table("Start-up · a fresh process, LeNet-5 at batch 64, from the start of the import", head, rows)


def pages(results: Results) -> str:
    head = ["", "ops", "record", "SVG", "page", "size", "ready", "per key"]
    rows = [
        [
            name,
            f"{found['ops']:,}",
            *(duration(found[key]) for key in ("record", "svg", "page")),
            f"{number(found['size'] / 1e6)} MB",
            *(duration(found.get(key)) for key in ("ready", "key")),
        ]
        for name, found in results.pages.items()
    ]
    return table("Pages · large graphs with all modules open; ready and per key in a headless browser", head, rows)


def targets(results: Results) -> str:
    """The goals, what was measured, and which are met."""
    rows, met, judged = [], 0, 0
    for target in TARGETS:
        measured, passed = target.verdict(results)
        met, judged = met + (passed is True), judged + (passed is not None)
        goal = f"{'≤' if target.at_most else '≥'} {_figure(target, target.goal)}"
        where = target.where(results)
        name = f"{target.name}: least {where}" if where else target.name
        rows.append([name, goal, _figure(target, measured), {True: "✓", False: "✗", None: NONE}[passed]])
    busily = ", on a busy machine" * busy(results)
    title = f"Targets · steps with tg.compile where that is faster · {met} of {judged} measured are met{busily}"
    return table(title, ["", "goal", "measured", ""], rows)


def notes(results: Results) -> str:
    """What was left out, and why."""
    lines = ["Notes"]
    if results.absent:
        lines.append(f"  not installed: {', '.join(PEERS[name].title for name in results.absent)}")
    for what, places in results.notes.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        lines.append(f"  {what} ({places[0]}{more})"[:WIDTH])
    return "\n".join(lines)


def _figure(target: Target, value: float | None) -> str:
    if value is None:
        return NONE
    shown = {"×": times, "%": percent, "s": duration, "": lambda v: f"{v:.0f}"}
    return shown[target.unit](value)
