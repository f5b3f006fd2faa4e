"""`nn.fit` in several processes, ended early by one of them and resumed. Prints "right".

With a second argument a process is killed in its step of that number, for good.
"""

import json
import os
import signal
import sys

import numpy as np

import tensorgrad as tg
from tensorgrad import distributed as dist, nn
from tensorgrad.kernels.jit import dispatch
from tensorgrad.nn.data import DataLoader, DistributedSampler, TensorDataset

RANK, SIZE = dist.get_rank(), dist.get_world_size()
PATH, KILLED = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
RNG = np.random.default_rng(0)
TRAIN = TensorDataset(RNG.normal(size=(45, 1, 6, 6)).astype("float32"), RNG.integers(0, 3, 45))
TEST = TensorDataset(RNG.normal(size=(21, 1, 6, 6)).astype("float32"), RNG.integers(0, 3, 21))


class Writer(nn.Callback):
    """Called by rank 0 alone."""

    on_every_rank = False
    records = 0

    def on_step_end(self, record):
        self.records += 1
        assert RANK == 0


def fit(epochs=3, checkpoint=None, stop=None, callbacks=(), **options):
    tg.manual_seed(0)
    model = nn.DistributedDataParallel(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3))
    )
    train = DataLoader(TRAIN, 16 // SIZE, sampler=DistributedSampler(TRAIN, pad=False))
    test = DataLoader(TEST, 8, sampler=DistributedSampler(TEST, shuffle=False, pad=False))
    adam = nn.optim.Adam(model.parameters(), lr=0.01)

    def on_step_end(record):
        if record["step"] == KILLED and RANK == SIZE - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return record["step"] == stop and RANK == SIZE - 1  # one rank ends the training of all

    history = nn.fit(
        model, train, loss=nn.cross_entropy, optimizer=adam, epochs=epochs, validation=test, seed=0,
        checkpoint=checkpoint, checkpoint_every=1 if checkpoint else None, on_step_end=on_step_end,
        callbacks=callbacks, metrics={"accuracy": nn.accuracy, "f1": nn.metrics.F1()}, **options,
    )  # fmt: skip
    return model, history, np.concatenate([p.numpy().ravel() for p in model.parameters()])


def everywhere(value):
    found = [None] * SIZE
    dist.all_gather_object(found, value)
    return found


def records(history):
    return [{name: v for name, v in record.items() if name != "seconds"} for record in history.steps + history.epochs]


if __name__ == "__main__":
    dist.init_process_group(timeout=60)
    if KILLED:
        fit(epochs=1000, checkpoint=PATH)
    if "NUMBA_NUM_THREADS" not in os.environ:  # the processes share the cores
        assert dispatch.get_num_threads() == max(1, os.cpu_count() // SIZE)
    writer = Writer()
    model, history, weights = fit(callbacks=[writer])
    assert writer.records == (9 if RANK == 0 else 0)
    assert [record["batch"] for record in history.steps[:3]] == [16, 16, 13] and history.images == 3 * 45
    assert len(set(everywhere(json.dumps(history.to_dict())))) == 1  # the same records, seconds included
    assert len(set(everywhere(weights.tobytes()))) == 1
    # The records are of all samples: the validation is that of one process with the buffers of rank 0.
    alone = nn.evaluate(model.module, DataLoader(TEST, 21), nn.cross_entropy, {"f1": nn.metrics.F1()})
    assert np.isclose(history["validation_f1"][-1], alone["f1"])  # not a mean of the ranks' figures
    alone = nn.evaluate(model.module, DataLoader(TEST, 21), nn.cross_entropy)
    assert np.isclose(history["validation_loss"][-1], alone["loss"], rtol=1e-5)
    assert np.isclose(history["validation_accuracy"][-1], alone["accuracy"])
    # Ended in the middle of an epoch, and resumed: dropout, order and weights go on, in each rank with its own numbers.
    first = fit(checkpoint=PATH, stop=5)[1]
    assert len(first.steps) == 5
    _, resumed, again = fit(checkpoint=PATH, resume=True)
    assert records(resumed) == records(history) and (again == weights).all()
    assert len(set(everywhere(tg.default_generator().random()))) == SIZE  # each rank draws masks of its own
    if RANK == 0:
        print("fit right", flush=True)
