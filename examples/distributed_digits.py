"""Train a small CNN on handwritten digits in several processes.

    mpiexec -n 2 python examples/distributed_digits.py     two processes, each with half of every batch
    python examples/distributed_digits.py                  one process, and the same training

The digits lie inside the package. `mpiexec` and mpi4py come with `pip install 'tensorgrad-engine[mpi]'`. Set
NUMBA_NUM_THREADS to the cores of the machine divided by its processes. Rank 0 writes `out/digits.safetensors`, a
checkpoint; with `--resume` the training goes on from it.
"""

import argparse
from pathlib import Path

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, DistributedSampler, optdigits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64, help="of all processes together")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(exist_ok=True)

    tg.manual_seed(0)
    net = nn.Sequential(
        # (N, 1, 8, 8) -> (N, 32, 8, 8) -> (N, 32, 4, 4)
        nn.Conv2d(1, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        # -> (N, 512) -> (N, 10)
        nn.Flatten(),
        nn.Linear(512, 10),
    )
    # Batch norm sees the whole batch, and every process the same weights.
    model = nn.DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(net))

    size = options.batch_size // tg.distributed.get_world_size()
    digits, others = optdigits(train=True), optdigits(train=False)
    train = DataLoader(digits, size, sampler=DistributedSampler(digits, pad=False))
    test = DataLoader(others, 256, sampler=DistributedSampler(others, shuffle=False, pad=False))
    history = nn.fit(
        model,
        train,
        loss=nn.cross_entropy,
        optimizer=nn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        epochs=options.epochs,
        validation=test,
        seed=0,
        checkpoint=options.out / "digits.safetensors",
        resume=options.resume,
    )
    if tg.distributed.get_rank() == 0:
        accuracy, processes = history["validation_accuracy"][-1], tg.distributed.get_world_size()
        print(f"trained in {processes} process(es): {accuracy:.1%} of {len(others):,} other digits are right")


if __name__ == "__main__":
    main()
