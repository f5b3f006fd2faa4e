"""How far data-parallel training should scale on a cluster: step time, bandwidth and latency in one formula.

A ring all-reduce of n bytes over p machines sends 2(p − 1)/p · n bytes through each link, in 2(p − 1) messages
(Patarasuk and Yuan, Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations, JPDC 2009):

    exchange = 2(p − 1)/p · n / bandwidth + 2(p − 1) · latency

The agreements before it are two messages of a few bytes, log₂ p rounds each. Each machine has its own batch, so with
computing alone p machines would do p times the work of one (weak scaling):

    efficiency = step / (step + exchange)                      all gradients after the backward pass, as here
    efficiency = step / max(step, step / 3 + exchange)         at best, if the exchange could hide behind the backward
                                                               pass, which takes about two thirds of a step
"""

import math
import sys
from typing import NamedTuple


class Network(NamedTuple):
    """What connects the machines."""

    name: str
    bandwidth: float
    """Bytes per second, each way, that MPI gets of it."""
    latency: float
    """Seconds for the shortest message, through MPI."""


class Model(NamedTuple):
    """What is trained."""

    name: str
    parameters: int
    step: float
    """Seconds for a step of one machine."""


NETWORKS = (
    Network("1 GbE", 0.117e9, 50e-6),
    Network("10 GbE", 1.17e9, 20e-6),
    Network("100 Gb InfiniBand", 11.5e9, 1.5e-6),
)
AGREEMENTS = 2
"""Exchanges of a few numbers per step."""


def exchange(model: Model, network: Network, machines: int) -> float:
    """Seconds for an exchange of all gradients, float32."""
    share = 2 * (machines - 1) / machines
    agreements = AGREEMENTS * math.ceil(math.log2(machines)) * network.latency
    return share * 4 * model.parameters / network.bandwidth + 2 * (machines - 1) * network.latency + agreements


def efficiency(model: Model, network: Network, machines: int, overlapped: bool = False) -> float:
    """What part of a step is computing."""
    waiting = exchange(model, network, machines)
    return model.step / (max(model.step, model.step / 3 + waiting) if overlapped else model.step + waiting)


def farthest(model: Model, network: Network, least: float, most: int = 4096, overlapped: bool = False) -> int:
    """The most machines, a power of two, with at least this efficiency."""
    counts = [2**k for k in range(int(math.log2(most)) + 1)]
    return max(p for p in counts if p == 1 or efficiency(model, network, p, overlapped) >= least)


def table(models: list[Model], machines: tuple[int, ...] = (2, 4, 8, 16, 64)) -> str:
    """The efficiencies, as a table in Markdown."""
    head = ["model", "step", "gradients", "network", *(f"{p} machines" for p in machines), "≥ 80 % up to"]
    rows = [head, ["---"] * len(head)]
    for model in models:
        for network in NETWORKS:
            far = [farthest(model, network, 0.8, overlapped=overlapped) for overlapped in (False, True)]
            row = [model.name, f"{model.step * 1e3:,.4g} ms", f"{4e-6 * model.parameters:.2f} MB", network.name]
            row += [f"{efficiency(model, network, p):.0%}".replace("%", " %") for p in machines]
            rows.append([*row, " – ".join(dict.fromkeys(map(str, far)))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    models = [Model(name, int(n), float(step)) for name, n, step in (text.split(":") for text in sys.argv[1:])]
    if not models:
        sys.exit("python -m benchmarks.scaling.cluster NAME:PARAMETERS:SECONDS …, such as LeNet-5:61706:0.0034")
    print(table(models))


if __name__ == "__main__":
    main()
