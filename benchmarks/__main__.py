"""`python -m benchmarks`: tensorgrad beside every peer that is installed, on this machine, in one run."""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import fresh, report
from benchmarks.cases import Case, kernel_cases, overhead_cases, step_cases
from benchmarks.libraries import NAMES
from benchmarks.processes import Process, WorkerError, environment
from benchmarks.rounds import measure
from benchmarks.targets import verdicts

PACKAGES = {
    "tensorgrad": "tensorgrad",
    "pytorch": "torch",
    "pytorch_compiled": "torch",
    "jax_jit": "jax",
    "tinygrad_jit": "tinygrad",
    "mygrad_eager": "mygrad",
}
SECTIONS = ("kernels", "steps", "overhead", "startup", "memory")


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    installed = [
        n for n in NAMES if importlib.util.find_spec(PACKAGES[n]) and (not options.peers or n in options.peers)
    ]
    installed = ["tensorgrad", *(n for n in installed if n != "tensorgrad")]
    variables = environment(options.threads)
    workers, absent = start(installed, variables, options.timeout)
    try:
        peak = workers["tensorgrad"].ask(do="peak")["gflops"] * options.threads
        machine = describe(options, workers, peak)
        print(heading(machine), absent, sep="\n\n" if absent else "", flush=True)
        results = []
        for chosen in cases(options):
            results += (found := measure(chosen, workers, options.rounds, options.seconds))
            for section in dict.fromkeys(r.case.section for r in found):
                print(f"\n{report.table(section, found, peak)}", flush=True)
    finally:
        for worker in workers.values():
            worker.close()
    processes = new_processes(options, installed, variables)
    if processes:
        print(f"\n{report.fresh_table(processes)}")
    found = verdicts(results, peak, processes)
    print(f"\n{report.target_table(found)}")
    for line in report.notes(results):
        print(f"\nnote: {line}")
    write(options.out, machine, results, processes, found)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--quick", action="store_true", help="under two minutes: fewer and shorter turns")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION", help=", ".join(SECTIONS)
    )
    parser.add_argument("--peers", nargs="*", choices=list(NAMES), metavar="PEER", help=", ".join(list(NAMES)[1:]))
    parser.add_argument(
        "--threads", type=int, default=usable, help="for every library (default: all cores, %(default)s)"
    )
    parser.add_argument("--rounds", type=int, help="turns per library and case")
    parser.add_argument("--seconds", type=float, help="length of a turn")
    parser.add_argument("--timeout", type=float, help="seconds after which a library is given up")
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    options = parser.parse_args()
    defaults = (
        {"rounds": 3, "seconds": 0.06, "timeout": 20.0}
        if options.quick
        else {"rounds": 7, "seconds": 0.25, "timeout": 120.0}
    )
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def cases(options: argparse.Namespace) -> list[list[Case]]:
    """The cases of the chosen sections, section by section."""
    chosen = {"kernels": kernel_cases, "steps": lambda: step_cases(options.quick), "overhead": overhead_cases}
    return [make() for name, make in chosen.items() if name in options.only]


def start(libraries: list[str], variables: dict[str, str], timeout: float) -> tuple[dict[str, Process], str]:
    """A worker for each library, and why some have none."""
    workers, absent = {}, []
    for name in libraries:
        try:
            workers[name] = Process(name, variables, timeout)
        except WorkerError as error:
            absent.append(f"{NAMES[name]} doesn't start: {error}")
    if "tensorgrad" not in workers:
        sys.exit("\n".join(absent))
    return workers, "\n".join(absent)


def new_processes(options: argparse.Namespace, installed: list[str], variables: dict[str, str]) -> dict[str, Any]:
    """What `fresh` measures, of tensorgrad and of PyTorch."""
    pair = [n for n in ("tensorgrad", "pytorch") if n in installed]
    count, found = 3 if options.quick else 5, {}
    if "startup" in options.only:
        found["startup"] = {n: fresh.runs(n, "startup", variables, count) for n in pair}
        if not options.quick:
            found["startup"]["tensorgrad, empty cache"] = fresh.cold(variables)
    if "memory" in options.only:
        found["memory"] = {n: fresh.runs(n, "memory", variables, 1 if options.quick else 3) for n in pair}
    return found


def describe(options: argparse.Namespace, workers: dict[str, Process], peak: float) -> dict[str, Any]:
    """Where and with what this run was made."""
    return {
        "processor": processor(),
        "threads": options.threads,
        "peak_gflops": peak,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "date": datetime.date.today().isoformat(),
        "versions": {name: worker.version for name, worker in workers.items()},
        "rounds": options.rounds,
        "seconds": options.seconds,
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def heading(machine: dict[str, Any]) -> str:
    """The first lines of the report."""
    versions = ", ".join(f"{NAMES[name]} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['processor']}, {machine['threads']} threads, "
        f"FMA peak {machine['peak_gflops']:.0f} GFLOP/s (one core's, times threads), {machine['date']}\n"
        f"{machine['system']}: {versions}\n"
        f"{machine['rounds']} turns of {machine['seconds']:g} s each, medians; a ratio is the peer's time over ours"
    )


def write(path: Path, machine: dict[str, Any], results: list, processes: dict[str, Any], found: list) -> None:
    """All figures, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report_data = {
        "machine": machine,
        "results": [result.as_dict() for result in results],
        "new_processes": processes,
        "targets": [{**vars(v), "reached": v.reached} for v in found],
    }
    path.write_text(json.dumps(report_data, indent=1, ensure_ascii=False) + "\n")
    print(f"\nall figures: {path}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)} failed:\n{error.stderr.decode()}")
