"""Workers: the same batches with any number of them, errors that name the item, streams, and their end."""

import os
import random
import time

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError
from tensorgrad.nn.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    WorkerError,
    get_worker_info,
)
from tensorgrad.nn.data.batch_seeds import stream
from tensorgrad.nn.data.workers import WorkerInfo

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Noisy(Dataset):
    """Items with noise from the package's generator, and from one of the dataset's own."""

    def __init__(self, n=23):
        self.n, self.own = n, np.random.default_rng(5)

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return index, tg.rand(2), stream(self.own).random()


def epochs(count=2, dataset=None, **options):
    tg.manual_seed(3)
    loader = DataLoader(dataset or Noisy(), 4, **options)
    return [[[np.asarray(field).tolist() for field in batch] for batch in loader] for _ in range(count)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_same_batches_with_any_number_of_workers(shuffle):
    want = epochs(shuffle=shuffle)
    assert want[0] != want[1] and want[0][0][1] != want[0][1][1]
    for workers in (1, 4):
        assert epochs(shuffle=shuffle, num_workers=workers) == want
    assert epochs(shuffle=shuffle, num_workers=2, persistent_workers=True, prefetch_factor=1) == want


def test_spawned_workers_too():
    dataset = TensorDataset(np.arange(10.0, dtype=np.float32), np.arange(10))
    want = epochs(1, dataset, shuffle=True)
    assert epochs(1, dataset, shuffle=True, num_workers=1, multiprocessing_context="spawn") == want


def test_what_cannot_be_sent_to_a_spawned_worker():
    with pytest.raises(ArgumentError, match="can't be sent to a worker process"):
        epochs(1, [1, 2], num_workers=1, multiprocessing_context="spawn", collate_fn=lambda items: items)


def test_a_workers_kernels_compute_what_the_parents_do():
    weight = tg.randn(4, 1, 3, 3)
    tg.conv2d(tg.randn(2, 1, 8, 8), weight)  # threads are running

    class Convolved(Noisy):
        def __getitem__(self, index):
            return tg.conv2d(tg.ones(1, 1, 8, 8) * index, weight)

    got, want = ([batch.numpy() for batch in DataLoader(Convolved(), 4, num_workers=n)] for n in (2, 0))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


class Bad(Noisy):
    """One item that ends the process, or raises."""

    def __init__(self, ending):
        super().__init__()
        self.ending = ending

    def __getitem__(self, index):
        if index == 17:
            self.ending()
        return index


@pytest.mark.parametrize(
    ("ending", "reason"), [(lambda: os._exit(3), "exit code 3"), (lambda: os.kill(os.getpid(), 9), "killed by SIGKILL")]
)
def test_a_worker_that_dies_is_an_error_that_names_the_item(ending, reason):
    got = []
    with pytest.raises(WorkerError, match=rf"worker \d died, {reason}, while it read item 17"):
        for batch in DataLoader(Bad(ending), 4, num_workers=2):
            got += batch.tolist()
    assert got == list(range(16))


def test_the_item_of_a_subset_is_named_by_both_indices():
    part = Subset(Subset(Bad(lambda: os._exit(3)), range(10, 23)), [1, 7, 2])
    with pytest.raises(WorkerError, match="item 17 of Bad, item 7 of Subset, item 1 of Subset"):
        list(DataLoader(part, 3, num_workers=1))
    part.dataset.dataset.ending = lambda: throw(KeyError("gone"))
    with pytest.raises(KeyError) as caught:
        list(DataLoader(part, 3))
    assert "while reading item 17 of Bad, item 7 of Subset" in "\n".join(caught.value.__notes__)


def test_a_batch_that_is_read_at_once_is_named_by_its_items():
    class Deadly(TensorDataset):
        def batch(self, indices):
            os._exit(3)

    with pytest.raises(WorkerError, match=r"exit code 3, while it read the batch of items \[0, 1, 2\]"):
        list(DataLoader(Deadly(np.arange(5)), 3, num_workers=1))


class TwoArguments(Exception):
    """Can't be unpickled: its state is not its arguments."""

    def __init__(self, one, two):
        super().__init__("told")


def throw(error):
    raise error


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_error_keeps_its_type_and_names_the_item(workers):
    loader = DataLoader(Bad(lambda: throw(KeyError("gone"))), 4, num_workers=workers)
    with pytest.raises(KeyError, match="gone") as caught:
        list(loader)
    notes = "\n".join(caught.value.__notes__)
    assert "while reading item 17 of Bad" in notes and (not workers or "whose traceback is" in notes)
    assert loader.state_dict()["position"] == 4


def test_an_error_that_cannot_be_pickled():
    with pytest.raises(WorkerError, match="raised TwoArguments"):
        list(DataLoader(Bad(lambda: throw(TwoArguments(1, 2))), 4, num_workers=1))


def test_a_batch_that_cannot_be_pickled():
    with pytest.raises(Exception, match="lambda") as caught:
        list(DataLoader([1, 2], 2, num_workers=1, collate_fn=lambda items: lambda: items))
    assert "must be picklable" in "\n".join(caught.value.__notes__)


def test_a_worker_that_takes_too_long():
    with pytest.raises(WorkerError, match=r"within timeout = 0.2 seconds, while it read item 17 of Bad"):
        list(DataLoader(Bad(lambda: time.sleep(60)), 4, num_workers=2, timeout=0.2))


def test_breaking_off_ends_the_workers():
    pids = []
    loader = DataLoader(Noisy(), 4, num_workers=2, collate_fn=lambda items: os.getpid())
    batches = iter(loader)
    pids += [next(batches), next(batches)]
    assert len(set(pids)) == 2 and os.getpid() not in pids
    del batches
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_that_persist_stay_the_same_and_forget_an_epoch_broken_off():
    loader = DataLoader(
        Noisy(), 4, num_workers=2, persistent_workers=True, collate_fn=lambda items: (os.getpid(), items[0][0])
    )
    first = next(iter(loader))
    again = list(loader)
    assert {pid for pid, _ in again} >= {first[0]} and len({pid for pid, _ in again}) == 2
    assert [index for _, index in again] == [0, 4, 8, 12, 16, 20]


def test_large_tasks_and_large_batches_do_not_block_each_other():
    loader = DataLoader(np.zeros((100_000, 1)), 50_000, num_workers=1, collate_fn=lambda items: np.zeros(1 << 22))
    assert len(list(loader)) == 2


class Share(IterableDataset):
    """The numbers below n; in workers, those of this worker."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))


def test_streams_are_shared_among_workers():
    assert [batch.tolist() for batch in DataLoader(Share(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [batch.tolist() for batch in DataLoader(Share(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert [batch.tolist() for batch in DataLoader(Share(9), 2, num_workers=2)] == [[0, 2], [1, 3], [4, 6], [5, 7], [8]]
    assert [*DataLoader(Share(3), None), *DataLoader(Share(2), None, num_workers=3)] == [0, 1, 2, 0, 1]


def seeds(number):
    """A worker_init_fn: sets the shared dataset's share."""
    info = get_worker_info()
    assert isinstance(info, WorkerInfo) and info.id == number and info.num_workers == 2
    info.dataset.n = 3 + number


def test_worker_init_fn_changes_its_own_copy_of_the_dataset():
    dataset = Share(100)
    got = [batch.tolist() for batch in DataLoader(dataset, 10, num_workers=2, worker_init_fn=seeds)]
    assert got == [[0, 2], [1, 3]] and dataset.n == 100 and get_worker_info() is None


def test_an_error_in_worker_init_fn():
    with pytest.raises(ZeroDivisionError):
        list(DataLoader([1], num_workers=1, worker_init_fn=lambda number: number / 0))


def test_workers_seed_the_other_generators_and_leave_the_parents_alone():
    class Others(Noisy):
        def __getitem__(self, index):
            return random.random(), np.random.random()

    before = random.getstate()
    runs = [epochs(1, Others(), num_workers=2) for _ in range(2)]
    assert runs[0] == runs[1] and random.getstate() == before


@pytest.mark.parametrize("workers", [0, 2])
def test_resume_with_random_transforms_and_weights(workers):
    def loader(seed):
        sampler = WeightedRandomSampler(np.arange(23.0), 30, generator=seed)
        return DataLoader(Noisy(), 4, sampler=sampler, num_workers=workers)

    tg.manual_seed(0)
    one = loader(1)
    batches = iter(one)
    next(batches)
    state = one.state_dict()
    want = [[np.asarray(field).tolist() for field in batch] for batch in batches]
    other = loader(2)
    other.load_state_dict(state)
    assert [[np.asarray(field).tolist() for field in batch] for batch in other] == want
    indices = [batch[0].tolist() for batch in one]
    assert [batch[0].tolist() for batch in other] == indices


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"num_workers": -1}, "num_workers must be an int ≥ 0, got -1"),
        ({"timeout": -1}, "timeout must be a number ≥ 0"),
        ({"prefetch_factor": 2}, "need workers"),
        ({"persistent_workers": True}, "need workers"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor must be an int ≥ 1"),
        ({"shuffle": True, "sampler": [0]}, "exclude each other"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler decides"),
        ({"batch_sampler": [[0]], "sampler": [0]}, "batch_sampler decides"),
        ({"batch_size": None, "drop_last": True}, "needs batches"),
        ({"dataset": Share(3), "shuffle": True}, "decides on its order itself"),
    ],
)
def test_arguments_that_exclude_each_other(options, match):
    with pytest.raises(ArgumentError, match=match):
        DataLoader(**{"dataset": [1, 2], **options})


def test_samplers_of_ones_own_and_items_without_batches():
    assert [batch.tolist() for batch in DataLoader([10, 11, 12], 2, sampler=[2, 0, 2])] == [[12, 10], [12]]
    loader = DataLoader([10, 11, 12], batch_sampler=[[2], [0, 1]])
    assert [batch.tolist() for batch in loader] == [[12], [10, 11]] and len(loader) == 2
    assert list(DataLoader(["a", "b"], None, shuffle=False)) == ["a", "b"]
    assert type(next(iter(DataLoader([np.zeros(2)], None)))) is tg.Tensor
    with pytest.raises(ArgumentError, match="can't be resumed"):
        loader.state_dict()
