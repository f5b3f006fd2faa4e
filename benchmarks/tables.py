"""The tables of cases: what each section's columns show, and the means below them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.text import NONE, duration, number, percent, table, times
from benchmarks.workers import MAIN, OURS, PEERS, REPLAYED
from benchmarks.workloads import SHAPE_PARTS, Case


@dataclass(frozen=True)
class Column:
    """A head, what stands below it for a case, and below the table for several, if anything does."""

    head: str
    show: Callable[[Case], str]
    mean: Callable[[Sequence[Case]], str] = lambda cases: ""


class Columns:
    """Columns over the results of some cases; libraries that measured none of them have none."""

    def __init__(self, cases: Sequence[Case], results: Results) -> None:
        self.results = results
        self.measured = {name for case in cases for name, cell in results.cells[case].items() if cell.rounds}

    def seconds(self, *names: str) -> list[Column]:
        """The time of each library, of one op where a call does many."""

        def column(name: str) -> Column:
            def show(case: Case) -> str:
                seconds = self.results.seconds(case.key, name)
                return duration(seconds and seconds / case.repeats)

            return Column(PEERS[name].title, show)

        return [column(name) for name in names if name in self.measured]

    def rates(self) -> list[Column]:
        """Our rate of direct arithmetic, and its share of the peak."""
        return [
            Column("GFLOP/s", lambda case: number(self.results.rate(case))),
            Column("of peak", lambda case: percent(self.results.share(case.key))),
        ]

    def ratio(self, peer: str, ours: str = OURS, head: str = "") -> list[Column]:
        """A peer's time over ours, and the geometric mean of it."""
        if not {peer, ours} <= self.measured:
            return []
        return [
            Column(
                head or PEERS[peer].title,
                lambda case: times(self.results.ratio(case.key, peer, ours)),
                lambda cases: times(self.results.mean([case.key for case in cases], peer, ours)),
            )
        ]

    def ratios(self, *peers: str, ours: str = OURS) -> list[Column]:
        return [column for peer in peers for column in self.ratio(peer, ours)]

    def memory(self, *names: str) -> list[Column]:
        """MiB at the peak; nothing where no library had a process of its own."""

        def column(name: str) -> Column:
            return Column(SHORT[name], lambda case: _rounded(self.results.memory(case.key, name)))

        known = (cell.memory for cells in self.results.cells.values() for cell in cells.values())
        return _group("MiB", [column(name) for name in names if name in self.measured]) if any(known) else []

    def faults(self, *names: str) -> list[Column]:
        """Page faults per call."""

        def column(name: str) -> Column:
            return Column(SHORT[name], lambda case: _rounded(self.results.faults(case.key, name)))

        return _group("faults", [column(name) for name in names if name in self.measured])

    def absent(self, name: str, cases: Sequence[Case]) -> list[Column]:
        """The column of a library that isn't installed, if it isn't: it says so once."""
        first = cases[0]
        return [Column(PEERS[name].title, lambda case: "not installed" if case is first else "")] * (
            name in self.results.absent
        )


SHORT = {OURS: "ours", REPLAYED: "compiled", MAIN: "PyTorch"}


def _group(name: str, columns: list[Column]) -> list[Column]:
    """The columns, with a name before the first one's head."""
    return [Column(f"{name}: {one.head}" if one is columns[0] else one.head, one.show) for one in columns]


def _rounded(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f}"


Means = Iterable[tuple[str, Sequence[Case]]]


def show(title: str, cases: Sequence[Case], columns: Sequence[Column], means: Means = ()) -> str:
    """A row per case, and per label of `means` one of the geometric means over its cases."""
    rows, before = [], ""
    for case in cases:
        rows.append(["" if case.name == before else case.name, case.part, *(column.show(case) for column in columns)])
        before = case.name
    last = [["geometric mean", part, *(column.mean(some) for column in columns)] for part, some in means if some]
    last = [row for row in last if any(row[2:])]
    return table(title, ["", "", *(column.head for column in columns)], rows, left=2, last=last)


# ------------------------------------------------------------------------------------------------------- the sections


def kernels(cases: Sequence[Case], results: Results) -> list[str]:
    make = Columns(cases, results)
    columns = [*make.seconds(OURS), *make.rates(), *make.seconds(MAIN), *make.ratio(MAIN, head="ratio")]
    return [show(f"Kernels · batch 64, float32 · {_peak(results)}", cases, [*columns, *make.ratios("jax", "mygrad")])]


def convolutions(cases: Sequence[Case], results: Results) -> list[str]:
    make = Columns(cases, results)
    columns = [*make.seconds(OURS), *make.rates(), *make.seconds(MAIN), *make.ratio(MAIN, head="ratio")]
    means = [(part, [case for case in cases if case.part == part]) for part in SHAPE_PARTS]
    return [show("Convolutions of other kinds", cases, [*columns, *make.ratios("kept", "jax")], means)]


def steps(cases: Sequence[Case], results: Results) -> list[str]:
    """PyTorch and its settings in one table, other libraries and memory in another."""
    make = Columns(cases, results)
    means = [("", [case for case in cases if case.counts])]
    settings = [
        *make.seconds(OURS, REPLAYED, MAIN),
        *make.ratio(MAIN, head="op by op"),
        *make.ratio(MAIN, REPLAYED, "compiled"),
        *make.ratio("kept", REPLAYED, "kept"),
        *make.ratios("channels_last", "bf16", "compiled", ours=REPLAYED),
    ]
    others = [
        *make.ratios("jax", "tinygrad", "mygrad", ours=REPLAYED),
        *make.memory(OURS, REPLAYED, MAIN),
        *make.faults(OURS, REPLAYED, MAIN),
    ]
    what = "forward, loss, zero_grad, backward, SGD with momentum"
    rest = "other libraries' ratios to tg.compile, peak memory, page faults per step"
    return [
        show(f"Training · {what} · from `kept` on, ratios to tg.compile", cases, settings, means),
        show(f"Training · {rest}", cases, others, means),
    ]


def inference(cases: Sequence[Case], results: Results) -> list[str]:
    make = Columns(cases, results)
    columns = [
        *make.seconds(OURS, REPLAYED, MAIN),
        *make.ratio(MAIN, head="op by op"),
        *make.ratio(MAIN, REPLAYED, "compiled"),
        *(make.absent("onnx", cases) or make.ratio("onnx", REPLAYED)),
        *make.ratios("compiled", "jax", ours=REPLAYED),
    ]
    means = [("batch 1", [case for case in cases if case.counts])]
    return [show("Inference · from the third ratio on, to tg.compile", cases, columns, means)]


def overhead(cases: Sequence[Case], results: Results) -> list[str]:
    make = Columns(cases, results)
    columns = [*make.seconds(OURS, MAIN), *make.ratio(MAIN, head="ratio"), *make.ratios("jax", "mygrad")]
    return [show("Overhead · one op of a chain of 1000, on tensors too small to matter", cases, columns)]


def _peak(results: Results) -> str:
    if results.peak is None:
        return "peak not measured"
    peak = f"peak {results.threads} × {results.core_peak:.0f} = {results.peak:.0f} GFLOP/s"
    return f"{peak}, of direct arithmetic: Winograd's saves some and may pass 100%"


TABLES = {
    "kernels": kernels,
    "convolutions": convolutions,
    "steps": steps,
    "inference": inference,
    "overhead": overhead,
}
