"""Who measures what, and when: libraries take turns, round after round, and one works at a time."""

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.browser import find_browser
from benchmarks.networks import NETWORKS
from benchmarks.pages import GRAPHS, measure
from benchmarks.processes import Died, Process, command
from benchmarks.results import Cell, Results
from benchmarks.workers import MAIN, OURS, PEERS, REPLAYED
from benchmarks.workloads import CASES, OF_NETWORKS, Case

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How long and how often; seconds."""

    turn: float = 0.1
    rounds: int = 5
    warmup: float = 0.1
    longest: float = 1.0
    """A peer that takes longer for one call is left out of the cell; tensorgrad and eager PyTorch never are."""
    limit: float = 300.0
    """One that doesn't answer for so long is ended."""
    processes: int = 3
    """Fresh processes, whose median is taken, for start-up."""
    cases: Sequence[str] = ("",)
    """Texts: the cases whose key has one of them are measured."""
    networks: Sequence[str] = tuple(NETWORKS)
    """Networks by name, of the sections that have any."""
    quick: bool = False
    """Chosen cases, and one process per library."""

    def chosen(self, case: Case) -> bool:
        """Whether this case is measured."""
        if case.section in OF_NETWORKS and case.name not in self.networks:
            return False
        return any(text in case.key for text in self.cases) and (case.quick or not self.quick)


QUICK = Settings(turn=0.04, rounds=3, warmup=0.02, processes=1, quick=True)


class Team:
    """The workers of a run, each started when it is first needed."""

    def __init__(self, names: Iterable[str], settings: Settings, results: Results) -> None:
        self.names, self.settings, self.results = tuple(names), settings, results
        self._running: dict[str, Process] = {}
        self._absent: set[tuple[str, str]] = set()

    def ask(self, name: str, **request: object) -> dict:
        """A worker's reply; `{"skip": reason}` where there is none."""
        try:
            return self._worker(name).ask(self.settings.limit, **request)
        except Died as death:
            self._running.pop(name, None)
            return {"skip": str(death), "died": True}

    def measure(self, case: Case) -> dict[str, Cell]:
        """Every library's rounds at one case; who computes another number than the others is not timed."""
        if fresh := case.fresh and not self.settings.quick:
            self.stop()
        cells: dict[str, Cell] = {}
        work = {"kind": case.kind, "params": case.params}
        own = dict.fromkeys((OURS, REPLAYED, MAIN), self.settings.limit)
        for name in self.names:
            if not self._takes_part(name, case):
                continue
            start = time.monotonic()
            waits = {"seconds": self.settings.warmup, "longest": own.get(name, self.settings.longest)}
            reply = self.ask(name, do="prepare", **work, **waits)
            cells[name] = Cell(number=reply.get("number"), skipped=self._skipped(name, case, reply))
            cells[name].preparing = time.monotonic() - start
        self._compare(case, cells)
        for _ in range(self.settings.rounds):
            for name, cell in cells.items():
                if not cell.skipped:
                    reply = self.ask(name, do="turn", seconds=self.settings.turn)
                    cell.skipped = self._skipped(name, case, reply)
                    if not cell.skipped:
                        cell.rounds.append(reply["median"])
                        cell.faults.append(reply["faults"])
        for name, cell in cells.items():
            if fresh and cell.rounds:
                cell.memory = self.ask(name, do="memory").get("memory")
        return cells

    def stop(self) -> None:
        while self._running:
            self._running.popitem()[1].stop()

    def _worker(self, name: str) -> Process:
        if name not in self._running:
            threads = self.results.threads
            variables = dict(PEERS[name].environment)
            self._running[name] = process = Process(command(name, threads), threads, variables)
            self.results.versions[name] = process.reply(self.settings.limit)["version"]
        return self._running[name]

    def _takes_part(self, name: str, case: Case) -> bool:
        if case.section not in PEERS[name].sections or (name, case.section) in self._absent:
            return False
        return name not in case.without

    def _skipped(self, name: str, case: Case, reply: dict) -> str:
        """The reason, noted; who dies once is left out of the section, so that nobody waits for it again."""
        if reason := reply.get("skip", ""):
            self.results.note(f"{PEERS[name].title}: {reason}", case.key)
        if reply.get("died"):
            self._absent.add((name, case.section))
        return reason

    def _compare(self, case: Case, cells: dict[str, Cell]) -> None:
        """Leave out who did other work: PyTorch's number is right, or ours if PyTorch has none."""
        numbers = {name: cell.number for name, cell in cells.items() if cell.number is not None}
        right = next((name for name in (MAIN, OURS) if name in numbers), None)
        if right is None:
            return
        for name, found in numbers.items():
            expected, close = numbers[right], max(case.close, PEERS[name].close)
            if not abs(found - expected) <= close * abs(expected):
                both = f"{found:.6g}, {PEERS[right].title} {expected:.6g}"
                cells[name].skipped = f"WARNING: {PEERS[name].title} computes {both}: not timed"
                self.results.note(cells[name].skipped, case.key)


def timed(section: str, team: Team, say: Say) -> None:
    """The cases of a section."""
    if OURS in team.names and not team.results.core_peak:
        team.results.core_peak = team.ask(OURS, do="peak").get("peak")
    for case in CASES[section]():
        if not team.settings.chosen(case):
            continue
        cells = team.measure(case)
        team.results.cells[case] = cells
        times = (f"{name} {cell.seconds * 1e3:.3g} ms" for name, cell in cells.items() if cell.seconds)
        say(f"{case.key}: {', '.join(times)}")


def startup(team: Team, say: Say) -> None:
    """Import, and import to the end of the first training step, in fresh processes; the median of some."""
    count = team.settings.processes
    for name in (name for name in team.names if "startup" in PEERS[name].sections):
        runs = [_once(team, name, "first-step") for _ in range(count)]
        if runs := [run for run in runs if run]:
            found = team.results.startup[name] = {key: median(run[key] for run in runs) for key in runs[0]}
            say(f"start-up: {name}, first step after {found['first step']:.2f} s")
    if OURS in team.names and not team.settings.quick:
        with tempfile.TemporaryDirectory() as empty:
            if run := _once(team, OURS, "first-step", env={"NUMBA_CACHE_DIR": empty}):
                team.results.startup.setdefault(OURS, {})["empty cache"] = run["first step"]
                say(f"start-up: {OURS} with an empty cache, first step after {run['first step']:.1f} s")


def _once(team: Team, name: str, what: str, env: dict[str, str] | None = None) -> dict[str, float] | None:
    process = Process(command(name, team.results.threads, what), team.results.threads, env)
    try:
        return process.reply(team.settings.limit)
    except Died as death:
        team.results.note(f"{PEERS[name].title}: {death}", what)
        return None
    finally:
        process.stop()


def drawn(team: Team, say: Say) -> None:
    """The pages of large graphs."""
    if find_browser() is None:
        team.results.note("no browser: install Chromium", "pages")
    for name in list(GRAPHS)[: 1 if team.settings.quick else None]:
        found = team.results.pages[name] = measure(name)
        say(f"pages: {name}, made in {found['record'] + found['page']:.1f} s")


def run(section: str, team: Team, say: Say) -> None:
    """Measure one section, by its name."""
    if section in CASES:
        timed(section, team, say)
    else:
        {"startup": startup, "pages": drawn}[section](team, say)


SECTIONS = (*CASES, "startup", "pages")
