"""Steps of one network by one process, by each of several for itself, and by all together, in turns.

Rank 0 prints the times as JSON.

mpiexec -n 2 python -m benchmarks.scaling.step LeNet-5 compiled 20 0.3
"""

import json
import sys
import time
from collections.abc import Callable
from statistics import median

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import models

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "LeNet-5": (lambda: models.LeNet(size=28), (64, 1, 28, 28)),
    "ResNet-20": (models.resnet20, (32, 3, 32, 32)),
}
"""By name: the model, and the shape of the batch of each process."""

WARM = 8
"""Steps before the first that counts: a compiled function replays at full speed from the sixth on."""


def main() -> None:
    name, way, rounds, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    tg.manual_seed(0)
    build, shape = NETWORKS[name]
    model = nn.DistributedDataParallel(build())
    by_all, by_one = _step(model, shape, way), _step(build(), shape, way)
    first = tg.distributed.get_rank() == 0
    alone, together = (_times(step, WARM)[-1] for step in (by_one, by_all))
    # All ranks take as many steps as rank 0 finds to fill the time, and the others sleep while it steps alone.
    plan: list = [max(10, int(seconds / alone)), max(10, int(seconds / together)), 0.0]
    plan[2] = 1.2 * plan[0] * alone
    tg.distributed.broadcast_object_list(plan)
    steps_alone, steps_together, asleep = plan
    found: dict[str, list[float]] = {"alone": [], "apart": [], "together": []}
    for _ in range(rounds):
        if first:
            found["alone"].append(median(_times(by_one, steps_alone)))
        else:
            time.sleep(asleep)
        for turn, step, count in (("apart", by_one, steps_alone), ("together", by_all, steps_together)):
            tg.distributed.barrier()
            found[turn].append(median(_times(step, count)))
    if first:
        print(json.dumps(found))


def _step(model: nn.Module, shape: tuple[int, ...], way: str) -> Callable[[], tg.Tensor]:
    sgd = nn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = tg.randn(*shape), tg.randint(0, 10, shape[:1])

    def step(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        sgd.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        sgd.step()
        return loss.detach()

    call = tg.compile(step) if way == "compiled" else step
    return lambda: call(x, y)


def _times(step: Callable[[], tg.Tensor], count: int) -> list[float]:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
