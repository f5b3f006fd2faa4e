"""Measure tensorgrad, and beside it each peer that is installed: times, ratios, memory, start-up, and the targets."""

import argparse
import json
import platform
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import report, sections
from benchmarks.idle import Others
from benchmarks.networks import NETWORKS
from benchmarks.processes import confine, usable_cores
from benchmarks.results import Results
from benchmarks.targets import TARGETS
from benchmarks.workers import MAIN, OURS, PEERS, REPLAYED
from benchmarks.workloads import OF_NETWORKS


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the workers are ended too
    confine(options.threads)
    libraries = installed(options.peers)
    results = Results(options.threads, describe_machine(), absent=[n for n in options.peers if n not in libraries])
    settings = sections.QUICK if options.quick else sections.Settings()
    given = {name: value for name in ("rounds", "turn", "cases", "networks") if (value := getattr(options, name))}
    measure(options.only, libraries, replace(settings, **given), results)
    print(report.report(results))
    write(results, options.out)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes: tensorgrad and PyTorch, chosen cases")
    names = ", ".join(sections.SECTIONS)
    parser.add_argument("--only", nargs="+", choices=sections.SECTIONS, metavar="SECTION", help=names)
    parser.add_argument("--networks", type=networks, metavar="NAME,NAME", help=", ".join(NETWORKS))
    peers = [name for name in PEERS if name != OURS]
    parser.add_argument("--peers", nargs="*", choices=peers, metavar="NAME", help=", ".join(peers))
    parser.add_argument("--threads", type=positive, default=usable_cores(), help="for every library; all usable cores")
    parser.add_argument("--cases", nargs="+", default=[""], metavar="TEXT", help='those named so: "1×1 16→96"')
    parser.add_argument("--rounds", type=positive, help="turns of each library in each cell")
    parser.add_argument("--turn", type=float, metavar="SECONDS", help="how long each turn is")
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    options = parser.parse_args(arguments)
    if options.peers is None:
        options.peers = [REPLAYED, MAIN] if options.quick else peers
    options.only = options.only or (OF_NETWORKS if options.networks else sections.SECTIONS)
    return options


def networks(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in NETWORKS]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; the networks are {', '.join(NETWORKS)}")
    return names


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def measure(only: Sequence[str], libraries: Sequence[str], settings: sections.Settings, results: Results) -> None:
    """The sections one after another, into `results`."""
    team, others = sections.Team(libraries, settings, results), Others()
    try:
        with progress() as say:
            for name in only:
                sections.run(name, team, say)
    except KeyboardInterrupt:
        results.note("Interrupted", "not all is measured")
    finally:
        team.stop()
    results.machine["others"] = others.cores()


def installed(peers: list[str]) -> list[str]:
    """tensorgrad and those of its peers that can be imported here."""
    return [OURS, *(name for name in peers if find_spec(PEERS[name].package))]


@contextmanager
def progress() -> Iterator[sections.Say]:
    """What is done so far: a bar on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        start = time.monotonic()
        yield lambda line: print(f"{time.monotonic() - start:5.0f} s  {line}", file=sys.stderr, flush=True)
        return
    from tqdm import tqdm

    with tqdm(unit=" cells", file=sys.stderr, bar_format="{n_fmt}{unit} in {elapsed}  {postfix}") as bar:

        def say(line: str) -> None:
            bar.set_postfix_str(line, refresh=False)
            bar.update()

        yield say


def describe_machine() -> dict[str, Any]:
    return {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
    }


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write(results: Results, path: Path) -> None:
    """The results, the targets among them, as JSON."""
    verdicts = []
    for target in TARGETS:
        measured, passed = target.verdict(results)
        goal = {"name": target.name, "goal": target.goal, "at_most": target.at_most, "unit": target.unit}
        verdicts.append(goal | {"measured": measured, "passed": passed})
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results.as_json() | {"targets": verdicts}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
