"""Samplers and combined datasets: what they draw, how often, and every error."""

from collections import namedtuple

import numpy as np
import pytest

from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tensorgrad.tensor import Tensor
from tensorgrad.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
)


def test_random_orders():
    sampler = RandomSampler(range(50), generator=0)
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    assert list(RandomSampler(range(50), generator=0)) == first
    longer = list(RandomSampler(range(4), num_samples=10, generator=0))
    assert sorted(longer[:4]) == sorted(longer[4:8]) == [0, 1, 2, 3] and len(longer) == 10
    drawn = list(RandomSampler(range(4), True, 400, generator=0))
    assert np.bincount(drawn).min() > 60 and len(drawn) == 400
    assert list(RandomSampler([])) == [] and len(SequentialSampler("abc")) == 3


def test_weights_are_probabilities():
    drawn = list(WeightedRandomSampler([1, 0, 3], 4000, generator=0))
    assert abs(np.bincount(drawn)[0] - 1000) < 100 and 1 not in drawn
    assert sorted(WeightedRandomSampler(Tensor(np.array([1.0, 0, 3])), 2, False, generator=0)) == [0, 2]


def test_a_subset():
    assert sorted(SubsetRandomSampler([5, 3, 9], 1)) == [3, 5, 9] and len(SubsetRandomSampler([1], 1)) == 1


@pytest.mark.parametrize("n", [1, 7, 8, 9])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_processes_share_an_epoch(n, drop_last, shuffle):
    parts = [DistributedSampler(range(n), 4, rank, shuffle, drop_last=drop_last) for rank in range(4)]
    drawn = [index for part in parts for index in part]
    assert len({len(list(part)) for part in parts} | {len(part) for part in parts}) == 1
    assert len(drawn) == (n // 4 * 4 if drop_last else -(-n // 4) * 4)
    assert set(drawn) <= set(range(n)) and (drop_last or set(drawn) == set(range(n)))
    before = list(parts[0])
    assert before == list(parts[0])
    parts[0].set_epoch(1)
    assert not shuffle or n < 8 or list(parts[0]) != before


@pytest.mark.parametrize("n", [1, 4, 7, 12, 13, 16, 30])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_of_all_processes_together_are_those_of_one(n, drop_last):
    data = TensorDataset(np.arange(n), np.ones((n, 2), np.float32))
    order = np.random.default_rng((5, 2)).permutation(n)  # as the sampler draws it
    whole = list(DataLoader(data, 12, sampler=order.tolist(), drop_last=drop_last))
    parts = []
    for rank in range(4):
        sampler = DistributedSampler(data, 4, rank, seed=5, pad=False)
        sampler.set_epoch(2)
        parts.append(list(DataLoader(data, 3, sampler=sampler, drop_last=drop_last)))
        assert {len(x) for x, _ in parts[-1]} <= {0, 1, 2, 3}
        assert all(ones.shape == (len(x), 2) for x, ones in parts[-1])
    for (x, _), *shares in zip(whole, *parts, strict=True):
        assert sorted(i for share, _ in shares for i in share.tolist()) == sorted(x.tolist())


def test_an_empty_share_has_the_fields_of_the_others():
    data = [({"x": np.ones(3), "name": "a"}, 1)]  # a list: its items are collated
    (empty,) = DataLoader(data, 2, sampler=DistributedSampler(data, 2, 1, pad=False))
    assert empty[0]["x"].shape == (0, 3) and list(empty[0]["name"]) == [] and empty[1].shape == (0,)


@pytest.mark.oracle
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 30])
@pytest.mark.parametrize("drop_last", [False, True])
def test_fixed_orders_are_pytorchs(n, drop_last):
    theirs = pytest.importorskip("torch").utils.data
    for rank in range(3):
        arguments = (range(n), 3, rank, False, 0, drop_last)
        assert list(DistributedSampler(*arguments)) == list(theirs.DistributedSampler(*arguments))
    ours, other = BatchSampler(range(n), 4, drop_last), theirs.BatchSampler(range(n), 4, drop_last)
    assert list(ours) == list(other) and len(ours) == len(other)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: RandomSampler("ab", num_samples=0), ArgumentError, "num_samples must be an int ≥ 1, got 0"),
        (lambda: RandomSampler("ab", replacement=1), DTypeError, "replacement must be True or False"),
        (lambda: RandomSampler("ab", generator="x"), DTypeError, "generator must be"),
        (lambda: WeightedRandomSampler([1, -1], 2), ArgumentError, "weights must be"),
        (lambda: WeightedRandomSampler([0, 0], 2), ArgumentError, "not all 0"),
        (lambda: WeightedRandomSampler([[1]], 2), ArgumentError, "weights must be"),
        (lambda: WeightedRandomSampler([np.nan], 2), ArgumentError, "weights must be"),
        (lambda: WeightedRandomSampler([1, 0], 2, False), ArgumentError, "at most 1"),
        (lambda: BatchSampler([1], 0, False), ArgumentError, "batch_size must be an int ≥ 1"),
        (lambda: DistributedSampler("ab", 2, 1, pad=1), DTypeError, "pad must be True or False"),
        (lambda: DistributedSampler("ab", 2, 2), ArgumentError, r"rank must be an int in \[0, 2\), got 2"),
        (lambda: DistributedSampler("ab", 2, 1, seed=-1), ArgumentError, "seed must be an int"),
        (lambda: DistributedSampler("ab", 2, 1).set_epoch(-1), ArgumentError, "epoch must be an int"),
        (lambda: ConcatDataset([]), ArgumentError, "datasets must not be empty"),
        (lambda: ConcatDataset([Stream()]), DTypeError, "ChainDataset joins streams"),
        (lambda: ChainDataset([[1]]), DTypeError, "ConcatDataset joins"),
        (lambda: ConcatDataset(["ab"])[2], RangeError, "got 2"),
        (lambda: StackDataset(), ArgumentError, "either by position"),
        (lambda: StackDataset("a", b="b"), ArgumentError, "either by position"),
        (lambda: StackDataset("a", "bc"), ShapeError, "one length"),
        (lambda: Stream()[0], DTypeError, "a stream has no indices"),
        (lambda: len(Stream()), TypeError, "callable"),
    ],
)
def test_errors(make, error, match):
    with pytest.raises(error, match=match):
        make()


class Stream(IterableDataset):
    def __iter__(self):
        return iter((1, 2))


def test_sums_of_datasets():
    both = TensorDataset(np.arange(3)) + TensorDataset(np.arange(5, 7))
    assert [int(item[0]) for item in both] == [0, 1, 2, 5, 6] and int(both[-5][0]) == 0
    assert [x.tolist() for (x,) in DataLoader(both, 3)] == [[0, 1, 2], [5, 6]]
    assert list(Stream() + Stream()) == [1, 2, 1, 2]


def test_a_tensor_dataset_gives_tensors_for_tensors():
    x = Tensor(np.arange(6.0).reshape(3, 2))
    dataset = TensorDataset(x, np.arange(3))
    assert dataset.tensors[0] is x and type(dataset[1][0]) is Tensor and type(dataset[1][1]) is np.int64
    batch = next(iter(DataLoader(StackDataset(image=dataset, name=list("abc")), 2)))
    assert batch["name"] == ["a", "b"] and batch["image"][0].shape == (2, 2)


Point = namedtuple("Point", "x y")


@pytest.mark.oracle
@pytest.mark.parametrize(
    "items",
    [
        [1.0, 2.0],
        [1, 2],
        [True, False],
        ["a", "b"],
        [(1, 2.0, "a"), (3, 4.0, "b")],
        [[1, 2], [3, 4]],
        [{"a": 1, "b": (2, "x")}, {"a": 3, "b": (4, "y")}],
        [np.float32(1), np.float32(2)],
        [np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)],
        [Point(1, 2.0), Point(3, 4.0)],
        [(np.int64(1), np.zeros(2, np.uint8)), (np.int64(2), np.ones(2, np.uint8))],
    ],
    ids=repr,
)
def test_default_collate_is_pytorchs(items):
    torch = pytest.importorskip("torch")

    def told(batch):
        if isinstance(batch, dict):
            return {key: told(field) for key, field in batch.items()}
        if isinstance(batch, tuple | list):
            return type(batch).__name__, [told(field) for field in batch]
        return batch if isinstance(batch, str) else (str(batch.dtype).removeprefix("torch."), batch.tolist())

    assert told(default_collate(items)) == told(torch.utils.data.default_collate(items))
    assert type(default_convert(items)) is type(torch.utils.data.default_convert(items))
