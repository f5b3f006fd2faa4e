"""What every rank of `mpiexec -n N` checks: exchanges, gradients, weights beside those of one process.

With the argument "messages" the ranks share no memory, as those of several machines.
"""

import itertools
import os
import sys
from contextlib import contextmanager

import numpy as np
from mpi4py import MPI

import tensorgrad as tg
from tensorgrad import distributed as dist, nn
from tensorgrad.distributed import channels as ways_to_exchange
from tensorgrad.distributed.channels import OPERATIONS, Messages, SharedMemory, channel
from tensorgrad.nn.data import DataLoader, DistributedSampler, TensorDataset
from tensorgrad.nn.parallel import DistributedDataParallel

if "messages" in sys.argv:
    ways_to_exchange.LARGEST = 0
RANK, SIZE = dist.get_rank(), dist.get_world_size()
RNG = np.random.default_rng(0)  # the same numbers in all ranks
DOUBLE = {"dtype": tg.float64}


@contextmanager
def refused(error, *parts):
    try:
        yield
    except error as problem:
        assert all(part in str(problem) for part in parts), problem
    else:
        raise AssertionError(f"no error that says {parts}")


def exchanges():
    everywhere = RNG.normal(size=(SIZE, 3, 2))
    for op, expected in (("sum", everywhere.sum(0)), ("avg", everywhere.mean(0)), ("max", everywhere.max(0))):
        x, array = tg.tensor(everywhere[RANK]), np.asfortranarray(everywhere[RANK])
        dist.all_reduce(x, op=op)
        dist.all_reduce(array, dist.ReduceOp(op))
        np.testing.assert_allclose(x.numpy(), expected, rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(array, expected, rtol=1e-14, atol=1e-14)
    seven = np.full(3, 7.0)
    dist.all_reduce(seven, "avg")
    assert seven.tolist() == [7.0] * 3
    half = tg.tensor([0.5 + RANK], dtype="float16")
    dist.all_reduce(half)
    assert half.dtype == np.float16 and half.item() == 0.5 * SIZE + SIZE * (SIZE - 1) / 2
    counts = np.array([RANK, 7])
    dist.broadcast(counts, src=SIZE - 1)
    assert counts.tolist() == [SIZE - 1, 7]
    found = [tg.zeros(3, 2, dtype="float64") for _ in range(SIZE)]
    dist.all_gather(found, tg.tensor(everywhere[RANK]))
    assert all((x.numpy() == y).all() for x, y in zip(found, everywhere, strict=True))
    objects, options = [None] * SIZE, [{"rank": RANK}]
    dist.all_gather_object(objects, "x" * RANK)
    dist.broadcast_object_list(options, src=1)
    assert objects == ["x" * rank for rank in range(SIZE)] and options == [{"rank": 1}]


def channels():
    """Shared memory and messages bring the same: arrays of many sizes and layouts, longer than what travels at once."""
    ways = [channel(MPI.COMM_WORLD), Messages(MPI.COMM_WORLD)]
    assert isinstance(ways[0], SharedMemory) == (SIZE <= ways_to_exchange.LARGEST)

    def wait(is_complete):
        while not is_complete():
            os.sched_yield()

    for dtype, operation in itertools.product(("float16", "float32", "float64", "int32", ">f4"), OPERATIONS):
        factor = 0.75 if operation == "sum" and dtype != "int32" else 1.0
        shapes = [(3, 5), (), (0, 2), (200_001,), (700, 300), (1,)]
        everywhere = [RNG.integers(1, 4, (SIZE, *shape)).astype(dtype) for shape in shapes]
        own = [x[RANK].T.copy().T for x in everywhere]
        for way in ways:
            out = [np.empty(shape, dtype) for shape in shapes]
            way.reduce(own, out, operation, factor, wait)
            function = {"sum": np.add, "product": np.multiply, "min": np.minimum, "max": np.maximum}
            for x, z in zip(everywhere, out, strict=True):
                expected = function[operation].reduce(x, 0, x.dtype.type) * factor
                np.testing.assert_allclose(z, expected, rtol=1e-3 if dtype == "float16" else 1e-6)
    for way in ways:
        is_complete, read = way.begin_exchange((RANK, 0.5))
        wait(is_complete)
        assert read() == [(float(rank), 0.5) for rank in range(SIZE)]


def disagreements():
    """All ranks raise the same, and go on."""
    x = tg.zeros(2 + RANK)
    with refused(dist.DistributedError, "rank 0: sum of (2,) float32", "rank 1: sum of (3,) float32"):
        dist.all_reduce(x)
    with refused(dist.DistributedError, "float64"):
        dist.broadcast(tg.zeros(2, dtype="float64" if RANK else "float32"))
    with refused(dist.DistributedError, "different calls", "rank 0: all_reduce", "barrier"):
        dist.barrier() if RANK else dist.all_reduce(tg.zeros(2))
    model = DistributedDataParallel(nn.Linear(2, 1))
    with refused(dist.DistributedError, "different calls", "rank 0: DistributedDataParallel.forward", "barrier"):
        dist.barrier() if RANK else model(tg.ones(3, 2))
    with refused(dist.DistributedError, "rank 0: weight: (1, 2) float32", "rank 1: weight: (1, 3) float32"):
        DistributedDataParallel(nn.Linear(2 + (RANK > 0), 1))
    with refused(dist.DistributedError, "rank 0: bias: (1,) float32", "rank 1: nothing"):
        DistributedDataParallel(nn.Linear(2, 1, bias=not RANK))
    dist.barrier()


def gradients_of_an_exchange():
    x = tg.tensor(RNG.normal(size=(SIZE, 4))[RANK], requires_grad=True)
    upstream = RNG.normal(size=(SIZE, 4))
    z = dist.functional.all_reduce(x)
    (z * z * tg.tensor(upstream[RANK])).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * z.detach().numpy() * upstream.sum(0), rtol=1e-12, atol=1e-12)


def batch_norm_of_all_batches():
    """Statistics, first and second derivatives are those of one process with the whole batch; a batch may be empty."""
    for sizes, shape in itertools.product(([3, 2, 4, 1], [5, 0, 0, 2]), ((), (3, 2))):
        ends = np.cumsum(sizes[:SIZE])
        mine = slice(ends[RANK] - sizes[RANK], ends[RANK])
        x, upstream, other = RNG.normal(size=(3, ends[-1], 2, *shape))
        weight, bias = RNG.normal(size=(2, 2))

        def run(layer, x, upstream, other, weight=weight, bias=bias):
            layer.weight.data, layer.bias.data = weight, bias
            x = tg.tensor(x, requires_grad=True)
            z = layer(x)
            loss = (z * tg.tensor(upstream)).sum()
            first = tg.grad(loss, [x, layer.weight, layer.bias], create_graph=True)
            (first[0] * tg.tensor(other)).sum().backward()
            return [t.detach().numpy() for t in (z, first[0], x.grad)], [first[1], first[2], layer.weight.grad]

        norm = nn.BatchNorm2d if shape else nn.BatchNorm1d
        ours, theirs = nn.SyncBatchNorm(2, **DOUBLE), norm(2, **DOUBLE)
        here, sums = run(ours, x[mine], upstream[mine], other[mine])
        whole, expected = run(theirs, x, upstream, other)
        for a, b in zip(here, whole, strict=True):
            np.testing.assert_allclose(a, b[mine], rtol=1e-9, atol=1e-11)
        for total, b in zip(sums, expected, strict=True):
            total = total.detach()
            dist.all_reduce(total)
            np.testing.assert_allclose(total.numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)
        for a, b in zip(ours.buffers(), theirs.buffers(), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-12)
        ours.eval()
        np.testing.assert_allclose(ours(x[mine]).detach().numpy(), theirs.eval()(x[mine]).detach().numpy(), rtol=1e-12)


def network(normalized):
    norms = [nn.BatchNorm2d(3, **DOUBLE), nn.BatchNorm1d(5, **DOUBLE)] if normalized else [nn.Identity()] * 2
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, **DOUBLE), norms[0], nn.ReLU(), nn.Flatten(), nn.Linear(48, 5, **DOUBLE), norms[1]
    )


def trained(model, loader, sampler, optimizer, compiled):
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = tg.compile(step) if compiled else step
    for epoch in range(4):
        sampler.set_epoch(epoch)
        for x, y in loader:
            run(x, y)
    assert not compiled or run.problems == []
    return [t.numpy() for t in (*model.parameters(), *model.buffers())]


def weights_of_one_process():
    """20 steps, each rank with its share of the batch: the weights of one process with the whole batches."""
    kinds = {
        "SGD": lambda p: nn.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
        "Adam": lambda p: nn.optim.Adam(p, lr=0.01),
    }
    ways = [("SGD", True, False), ("SGD", False, False), ("Adam", True, True), ("Adam", False, False)]
    for kind, normalized, compiled in ways if SIZE == 2 else ways[:1]:
        # The last batch has 6 of 16 samples: 2 in each of the first ranks. Or 1, and the other ranks have none.
        count = 64 + (6 if normalized else 1)
        data = TensorDataset(RNG.normal(size=(count, 1, 6, 6)), RNG.integers(0, 5, count))
        tg.manual_seed(RANK)  # other weights in each rank, until they get those of rank 0
        model = network(normalized)
        if normalized:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        shared = DistributedDataParallel(model)
        alone = network(normalized)
        alone.load_state_dict(shared.module.state_dict())
        share, whole = DistributedSampler(data, pad=False), DistributedSampler(data, 1, 0)
        ours = trained(
            shared, DataLoader(data, 16 // SIZE, sampler=share), share, kinds[kind](shared.parameters()), compiled
        )
        theirs = trained(alone, DataLoader(data, 16, sampler=whole), whole, kinds[kind](alone.parameters()), False)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
        gathered = [None] * SIZE
        dist.all_gather_object(gathered, b"".join(a.tobytes() for a in ours))
        assert len(set(gathered)) == 1  # to the bit


class Heads(nn.Module):
    """Even and odd ranks use another head, and none the third."""

    def __init__(self):
        self.even, self.odd, self.neither = (nn.Linear(2, 1, **DOUBLE) for _ in range(3))
        self.odd.bias.requires_grad_(False)
        self.scale = nn.Parameter(np.ones(1, np.float32))  # of another dtype

    def forward(self, x, rank):
        return {"score": [(self.odd if rank % 2 else self.even)(x) * self.scale.double()], "rank": rank}


def parameters_that_not_all_ranks_use():
    tg.manual_seed(0)
    model = DistributedDataParallel(Heads())
    heads = model.module
    x = RNG.normal(size=(SIZE, 3, 2))
    model(tg.tensor(x[RANK]), RANK)["score"][0].sum().backward()
    np.testing.assert_allclose(heads.even.weight.grad.numpy()[0], x[::2].sum((0, 1)) / SIZE, rtol=1e-12)
    np.testing.assert_allclose(heads.odd.weight.grad.numpy()[0], x[1::2].sum((0, 1)) / SIZE, rtol=1e-12)
    assert heads.neither.weight.grad is heads.neither.bias.grad is heads.odd.bias.grad is None
    assert heads.scale.grad.dtype == np.float32
    heads.odd.bias.requires_grad_()  # gets an exchange, too
    model.zero_grad()
    model(tg.tensor(x[RANK]), RANK)["score"][0].sum().backward()
    assert heads.odd.bias.grad.item() == 3 * (SIZE // 2) / SIZE


def accumulation_without_exchange():
    """Batches of other sizes in each rank and call: means over all samples, as one process takes them."""
    tg.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(2, 1, **DOUBLE))
    batches = [RNG.normal(size=(SIZE, most, 2)) for most in (4, 5)]
    sizes = [[k + 1 + rank % 3 for rank in range(SIZE)] for k in range(2)]

    def backward(k):
        (model(tg.tensor(batches[k][RANK, : sizes[k][RANK]])) ** 2).mean().backward()

    alone = nn.Linear(2, 1, **DOUBLE)
    alone.load_state_dict(model.module.state_dict())
    for x, each in zip(batches, sizes, strict=True):
        whole = np.concatenate([x[rank, :n] for rank, n in enumerate(each)])
        (alone(tg.tensor(whole)) ** 2).mean().backward()
    with model.no_sync():
        backward(0)
    mine = model.module.weight.grad.numpy().copy()
    backward(1)
    np.testing.assert_allclose(model.module.weight.grad.numpy(), alone.weight.grad.numpy(), rtol=1e-12)
    gathered = [None] * SIZE
    dist.all_gather_object(gathered, mine.tobytes())
    assert len(set(gathered)) == SIZE  # no exchange yet


class Exchanging(nn.Module):
    """A layer whose forward pass makes exchanges of its own; given 13, it raises between them."""

    def __init__(self):
        self.layer = nn.Linear(2, 1, **DOUBLE)

    def forward(self, x):
        ranks = tg.ones(1)
        dist.all_reduce(ranks)
        if x[0, 0].item() == 13:
            raise KeyError
        dist.barrier()
        return self.layer(x) * ranks.item()


def samples_are_counted_while_the_model_computes():
    tg.manual_seed(0)
    model = DistributedDataParallel(Exchanging())
    batches = [RNG.normal(size=(SIZE, 5, 2)) for _ in range(2)]
    sizes = [[1 + (rank + k) % 3 for rank in range(SIZE)] for k in range(2)]
    with refused(KeyError):
        model(tg.full((7, 2), 13.0, **DOUBLE))
    parts = [tg.tensor(x[RANK, : each[RANK]]) for x, each in zip(batches, sizes, strict=True)]
    losses = [(model(x) ** 2).mean() for x in parts]
    model(parts[0])  # without a backward pass
    sum(losses).backward()
    alone = nn.Linear(2, 1, **DOUBLE)
    alone.load_state_dict(model.module.layer.state_dict())
    for x, each in zip(batches, sizes, strict=True):
        whole = np.concatenate([x[rank, :n] for rank, n in enumerate(each)])
        ((alone(tg.tensor(whole)) * SIZE) ** 2).mean().backward()
    np.testing.assert_allclose(model.module.layer.weight.grad.numpy(), alone.weight.grad.numpy(), rtol=1e-12)


def a_model_called_within_its_own_forward_pass():
    """Each call has its own numbers of samples."""
    model, inner = DistributedDataParallel(nn.Linear(1, 1, **DOUBLE)), []

    def call_again(module, inputs, output):
        if not inner:
            inner.append(tg.ones(9 - RANK, 1, **DOUBLE))
            model(inner[0])

    model.module.register_forward_hook(call_again)
    model(tg.ones(1 + 3 * RANK, 1, **DOUBLE)).mean().backward()
    np.testing.assert_allclose(model.module.bias.grad.numpy(), [1.0], rtol=1e-12)


def an_exchange_that_one_rank_cannot_begin():
    """Nobody takes part in it then."""
    model = DistributedDataParallel(Heads())
    if RANK == 0:
        model.module.neither.weight.grad = tg.ones(5, 7)  # of a wrong shape
    loss = model(tg.ones(3, 2, **DOUBLE), 0)["score"][0].mean()
    if RANK == 0:
        with refused(tg.ShapeError, "(5, 7)"):
            loss.backward()
    with refused(dist.DistributedError, "rank 0: barrier", "backward"):
        dist.barrier() if RANK == 0 else loss.backward()


def gradients_that_share_memory():
    """Each is averaged as if it had memory of its own, though others have none to share."""
    model = DistributedDataParallel(Many(5))
    parts = list(model.module.parameters())
    whole = np.arange(5.0) + RANK
    if RANK == 0:
        parts[0].grad = parts[1].grad = tg.Tensor(whole[:4])
        parts[2].grad = tg.Tensor(whole[1:])
    else:
        parts[0].grad, parts[1].grad, parts[2].grad = (tg.tensor(x) for x in (whole[:4], whole[:4], whole[1:]))
    parts[3].grad = tg.Tensor(np.asfortranarray(np.arange(4.0)))
    model(tg.ones(4, **DOUBLE)).sum().backward()
    mean = np.arange(5.0) + (SIZE - 1) / 2
    for p, expected in zip(parts, (mean[:4], mean[:4], mean[1:], np.arange(4.0), np.ones(4)), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), expected, rtol=1e-12)


def compiled_alone():
    """Ranks meet sizes of batches for the third time, and capture, in different calls, and exchange the same in all."""
    model = DistributedDataParallel(
        nn.Sequential(nn.Linear(16, 64), nn.SyncBatchNorm(64), nn.ReLU(), nn.Softmax(1), nn.Linear(64, 5))
    )
    sgd = nn.optim.SGD(model.parameters(), lr=0.1)

    @tg.compile
    def step(x, y):
        sgd.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        sgd.step()
        return loss.detach()

    for k in range(15):
        rows = 8 if RANK == 0 else (5, 8, 0)[k % 3]
        step(tg.randn(rows, 16), tg.randint(0, 5, (rows,)))
        dist.barrier()


def a_child_process_is_no_rank():
    child = os.fork()
    if child == 0:
        try:
            dist.barrier()
        except dist.DistributedError as error:
            os._exit("a child process of rank" not in str(error))
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def ranks_count_alike():
    """With dim=None a gradient is the mean over ranks, whatever their numbers of samples, as in PyTorch."""
    model = DistributedDataParallel(nn.Linear(2, 1, **DOUBLE), dim=None)
    x = [RNG.normal(size=(1 + rank, 2)) for rank in range(SIZE)]
    model(tg.tensor(x[RANK])).mean().backward()
    expected = np.mean([part.mean(0) for part in x], axis=0)
    np.testing.assert_allclose(model.module.weight.grad.numpy()[0], expected, rtol=1e-12)


def buffers_of_rank_0():
    model = DistributedDataParallel(nn.BatchNorm1d(1, **DOUBLE))
    model(tg.tensor([[1.0 + RANK], [3.0 + RANK]], **DOUBLE))
    assert np.isclose(model.module.running_mean.item(), 0.1 * (2 + RANK))  # by rank
    model.sync_buffers()
    assert np.isclose(model.module.running_mean.item(), 0.2)
    with refused(tg.GraphError, "create_graph"):
        (model(tg.ones(2, 1, **DOUBLE) * tg.tensor([[1.0], [2.0]], **DOUBLE)) ** 2).sum().backward(create_graph=True)


class Many(nn.Module):
    """Parameters of four numbers, of which `forward` uses the last."""

    def __init__(self, count):
        super().__init__()
        for k in range(count):
            setattr(self, f"p{k}", nn.Parameter(tg.zeros(4, **DOUBLE)))
        self.last = getattr(self, f"p{count - 1}")

    def forward(self, x):
        return self.last * x


CHECKS = (
    exchanges, channels, disagreements, gradients_of_an_exchange, batch_norm_of_all_batches, weights_of_one_process,
    parameters_that_not_all_ranks_use, accumulation_without_exchange, samples_are_counted_while_the_model_computes,
    a_model_called_within_its_own_forward_pass, an_exchange_that_one_rank_cannot_begin,
    gradients_that_share_memory, compiled_alone, ranks_count_alike, buffers_of_rank_0,
    a_child_process_is_no_rank,
)  # fmt: skip

if __name__ == "__main__":
    dist.init_process_group(timeout=60)
    for check in CHECKS:
        RNG = np.random.default_rng(1)
        check()
        dist.barrier()
        if RANK == 0:
            print(check.__name__, "right", flush=True)
    if RANK == 0:
        print("all checks right")
