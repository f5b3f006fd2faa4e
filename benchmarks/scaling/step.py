"""Steps of one network, in as many processes as `mpiexec` starts; rank 0 prints their times as JSON.

mpiexec -n 2 python -m benchmarks.scaling.step LeNet-5 compiled 2.0
"""

import json
import sys
import time
from statistics import median

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import models

NETWORKS = {
    "LeNet-5": (lambda: models.LeNet(size=28), (64, 1, 28, 28)),
    "ResNet-20": (models.resnet20, (32, 3, 32, 32)),
}
"""By name: the model, and the shape of the batch of each process."""

WARM = 8
"""Steps before the first that counts: a compiled function replays at full speed from the sixth on."""


def main() -> None:
    name, way, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    tg.manual_seed(0)
    build, shape = NETWORKS[name]
    model = nn.DistributedDataParallel(build())
    sgd = nn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = tg.randn(*shape), tg.randint(0, 10, shape[:1])

    def step(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        sgd.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        sgd.step()
        return loss.detach()

    call = tg.compile(step) if way == "compiled" else step
    for _ in range(WARM):
        call(x, y)
    start = time.perf_counter()
    call(x, y)
    # All ranks take as many steps as rank 0 finds to fill the time.
    count = [max(10, int(seconds / (time.perf_counter() - start)))]
    tg.distributed.broadcast_object_list(count)
    times = []
    for _ in range(count[0]):
        start = time.perf_counter()
        call(x, y)
        times.append(time.perf_counter() - start)
    if tg.distributed.get_rank() == 0:
        numbers = sum(p.numel() for p in model.parameters())
        print(json.dumps({"median": median(times), "steps": len(times), "parameters": numbers}))


if __name__ == "__main__":
    main()
