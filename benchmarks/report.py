"""The figures of a run as tables of plain text."""

from __future__ import annotations

from typing import Any

from benchmarks.libraries import NAMES
from benchmarks.rounds import Result
from benchmarks.targets import Verdict, share

Row = list[str]
HEADINGS = {
    "kernels": "Convolution alone, batch 64, float32",
    "layers": "Layers, forward and backward, batch 64",
    "steps": "A training step: forward, cross-entropy, backward, SGD with momentum",
    "inference": "Inference, no_grad",
    "overhead": "A chain of 1000 additions of 8 numbers, per op",
}


def duration(seconds: float | None) -> str:
    """Three digits and a unit."""
    if seconds is None:
        return "—"
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1 or unit == "µs":
            value = seconds * factor
            return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"
    raise AssertionError(seconds)


def ratio(value: float | None) -> str:
    """As in 1.44×."""
    return "—" if value is None else f"{value:.2f}×"


def aligned(rows: list[Row], rule_after: int = 1) -> str:
    """Columns of equal width, the first to the left and the others to the right, a rule below the heading."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    lines.insert(rule_after, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def table(section: str, results: list[Result], peak: float | None) -> str:
    """One section: our time and every peer's, with its ratio; for convolutions GFLOP/s and the share of the peak."""
    chosen = [r for r in results if r.case.section == section]
    peers = [n for n in NAMES if n != "tensorgrad" and any(r.seconds(n) is not None for r in chosen)]
    flops = any(r.case.flops for r in chosen)
    heading = ["", "tensorgrad", *(["GFLOP/s", "of peak"] if flops else [])]
    rows = [heading + [cell for n in peers for cell in (NAMES[n], "ratio")]]
    for r in chosen:
        row = [r.case.name, duration(_per_op(r, "tensorgrad"))]
        if flops:
            part = share(r, peak)
            mine = r.seconds("tensorgrad")
            row += [f"{r.case.flops / mine / 1e9:.0f}" if mine else "—", f"{part:.0%}" if part else "—"]
        for n in peers:
            row += [duration(_per_op(r, n)), ratio(r.ratio(n))]
        rows.append(row)
    return f"{HEADINGS[section]}\n\n{aligned(rows)}"


def _per_op(result: Result, library: str) -> float | None:
    seconds = result.seconds(library)
    return None if seconds is None else seconds / result.case.options.get("length", 1)


def fresh_table(fresh: dict[str, Any]) -> str:
    """What new processes showed."""
    parts = []
    if fresh.get("startup"):
        rows = [["", "import", "to the end of the first step"]]
        rows += [
            [NAMES.get(n, n), duration(v["import"]), duration(v["first_step"])] for n, v in fresh["startup"].items()
        ]
        parts.append(f"A new process, LeNet-5, batch 64\n\n{aligned(rows)}")
    if fresh.get("memory"):
        rows = [["", "peak", "above the import", "page faults per step"]]
        for n, v in fresh["memory"].items():
            rows.append([NAMES[n], f"{v['peak']:.0f} MiB", f"{v['above_import']:.0f} MiB", f"{v['faults']:.0f}"])
        parts.append(f"Memory, training the MNIST CNN, batch 256\n\n{aligned(rows)}")
    return "\n\n".join(parts)


def target_table(verdicts: list[Verdict]) -> str:
    """Each target with its mark."""
    rows = [["Targets, against PyTorch", "goal", "found", ""]]
    for v in verdicts:
        sign = "≤" if v.at_most else "≥"
        found = "—" if v.found is None else f"{v.found:.2f}{v.unit}"
        mark = {True: "✓", False: "✗", None: ""}[v.reached]
        rows.append([v.name, f"{sign} {v.goal:g}{v.unit}", found, mark])
    return aligned(rows)


def notes(results: list[Result]) -> list[str]:
    """What a reader must know: cases that failed, and libraries that computed something else."""
    lines = []
    for r in results:
        lines += [f"{r.case.name}: {NAMES[n]} computes another loss than tensorgrad" for n in r.disagreements()]
    reasons: dict[str, list[str]] = {}
    for r in results:
        for n, why in r.failures.items():
            if not why.startswith("Unsupported"):
                reasons.setdefault(f"{NAMES[n]}: {why}", []).append(r.case.name)
    return lines + [
        f"{why} ({names[0]}{f' and {len(names) - 1} more' if names[1:] else ''})" for why, names in reasons.items()
    ]
