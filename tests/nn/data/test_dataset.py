"""Datasets: items, batches in one gather, subsets, splits, transforms, collation, and every error."""

import numpy as np
import pytest

from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tensorgrad.nn.data import Dataset, Normalize, Subset, TensorDataset, TransformDataset, collate, random_split
from tensorgrad.tensor import Tensor


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, 2, 3)).astype(np.float32), rng.integers(0, 5, 20)


class ItemByItem(Dataset):
    """The same items without the fast path: the base class makes its batches."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, index):
        return tuple(array[index] for array in self.arrays)


def assert_same_batch(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)


def test_items_and_length(arrays):
    x, y = arrays
    dataset = TensorDataset(x, y)
    assert len(dataset) == 20
    np.testing.assert_array_equal(dataset[7][0], x[7])
    assert dataset[-1][1] == y[-1]
    assert sum(1 for _ in dataset) == 20  # ends by IndexError, as a list does


@pytest.mark.parametrize("indices", [[3, 1, 1, -2], np.array([19], np.uint8), range(5), []])
def test_batch_is_the_items_stacked(arrays, indices):
    fast, slow = TensorDataset(*arrays), ItemByItem(*arrays)
    got = fast.batch(indices)
    assert got[0].shape == (len(indices), 2, 3)
    if len(indices):
        assert_same_batch(got, slow.batch(indices))


def test_lists_and_tensors_are_arrays_too():
    x, y = TensorDataset([[0.5, 1.5], [2.5, 3.5]], Tensor(np.array([1, 2]))).batch([1])
    assert x.dtype == np.float32 and x.tolist() == [[2.5, 3.5]]
    assert type(y) is np.ndarray and y.tolist() == [2]


def test_batch_shares_no_memory(arrays):
    dataset = TensorDataset(*arrays)
    for indices in ([0, 1, 2], range(20)):
        assert not np.shares_memory(dataset.batch(indices)[0], arrays[0])


def test_batch_makes_no_loop_over_items(arrays, monkeypatch):
    def no_items(self, index):
        raise AssertionError("an item was fetched alone")

    monkeypatch.setattr(TensorDataset, "__getitem__", no_items)
    dataset = TransformDataset(Subset(TensorDataset(*arrays), range(10)), lambda x, y: (x, y))
    assert dataset.batch([1, 2])[0].shape == (2, 2, 3)


@pytest.mark.parametrize(
    "make",
    [lambda: TensorDataset(), lambda: TensorDataset(np.zeros(3), np.zeros(4)), lambda: TensorDataset(np.zeros(()))],
)
def test_arrays_without_a_common_length(make):
    with pytest.raises(ShapeError, match="must have a common length"):
        make()


def test_length_error_names_every_shape():
    with pytest.raises(ShapeError, match=r"arrays\[0\]: \(3, 2\) float64\n.*arrays\[1\]: \(4,\) int64"):
        TensorDataset(np.zeros((3, 2)), np.arange(4))


@pytest.mark.parametrize("index", [20, -21])
def test_index_out_of_range(arrays, index):
    plain = TensorDataset(*arrays)
    for dataset in (plain, TransformDataset(plain, lambda *fields: fields), Subset(plain, range(20))):
        with pytest.raises(RangeError, match=f"index: {index}"):
            dataset[index]
        with pytest.raises(RangeError, match=f"index {index} is out of range"):
            dataset.batch([0, index])


@pytest.mark.parametrize("indices", [[0.0, 1.0], np.zeros(20, bool), [[0, 1]], ["a"]])
def test_indices_that_are_no_integers(arrays, indices):
    dataset = TensorDataset(*arrays)
    with pytest.raises(DTypeError, match="integers"):
        dataset.batch(indices)
    with pytest.raises(DTypeError, match="integers"):
        Subset(dataset, indices)


def test_a_mask_is_told_what_to_do(arrays):
    with pytest.raises(DTypeError, match="flatnonzero"):
        Subset(TensorDataset(*arrays), np.ones(20, bool))


def test_subset(arrays):
    x, y = arrays
    subset = Subset(TensorDataset(x, y, classes="abcde"), [5, 5, -1])
    assert len(subset) == 3 and subset.classes == tuple("abcde")
    assert_same_batch(subset.batch([2, 0]), (x[[-1, 5]], y[[-1, 5]]))
    assert_same_batch(subset[-1], (x[-1], y[-1]))
    with pytest.raises(RangeError, match="index 20 is out of range"):
        Subset(TensorDataset(x, y), [0, 20])


def test_subset_of_a_list():
    subset = Subset([(0.5, 1), (1.5, 0), (2.5, 1)], [2, 0])
    x, y = subset.batch([0, 1])
    assert x.dtype == np.float32 and x.tolist() == [2.5, 0.5] and y.tolist() == [1, 1]


def test_empty_subset(arrays):
    empty = Subset(TensorDataset(*arrays), [])
    assert len(empty) == 0 and empty.batch([])[0].shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("total", "lengths", "want"),
    [
        (10, [7, 3], [7, 3]),
        (10, [0, 10], [0, 10]),
        (10, [0.75, 0.25], [8, 2]),
        (100, [0.71, 0.29], [71, 29]),
        (11, [0.5, 0.25, 0.25], [6, 3, 2]),
        (0, [0.5, 0.5], [0, 0]),
    ],
)
def test_random_split_lengths(total, lengths, want):
    parts = random_split(range(total), lengths, generator=3)
    assert [len(part) for part in parts] == want
    assert sorted(np.concatenate([part.indices for part in parts])) == list(range(total))


def test_random_split_is_seeded():
    def split(generator):
        return [part.indices.tolist() for part in random_split(range(50), [30, 20], generator)]

    assert split(1) == split(1) == split(np.random.default_rng(1)) != split(2)
    assert split(1)[0] != list(range(30))


def test_random_split_draws_from_the_package_wide_generator():
    from tensorgrad.arrays.random import manual_seed

    def split(seed):
        manual_seed(seed)
        return random_split(range(50), [50])[0].indices.tolist()

    assert split(4) == split(4) != split(5)


@pytest.mark.parametrize("lengths", [[5, 4], [11, -1], [0.5, 0.4], [1.5, -0.5], [], 0.8, [float("nan"), 1.0], ["a"]])
def test_random_split_that_cannot_be(lengths):
    with pytest.raises(ArgumentError, match=r"integers ≥ 0 that sum to 10(.|\n)*lengths:"):
        random_split(range(10), lengths, generator=0)


@pytest.mark.parametrize("generator", ["seed", -1, 1.5, True, np.random.RandomState(0)])
def test_generator_of_a_wrong_kind(generator):
    with pytest.raises(DTypeError, match=r"numpy\.random\.Generator"):
        random_split(range(10), [10], generator=generator)


def test_transform_sees_batches_and_single_items_alike(arrays):
    x, y = arrays
    seen = []

    def double(a, b):
        seen.append(a.shape)
        return a * 2, b, a.sum(axis=(1, 2))

    dataset = TransformDataset(TensorDataset(x, y, classes="abcde"), double)
    assert dataset.classes == tuple("abcde") and len(dataset) == 20
    batch = dataset.batch([4, 2])
    np.testing.assert_array_equal(batch[0], x[[4, 2]] * 2)
    assert_same_batch(dataset[4], tuple(field[0] for field in batch))
    assert seen == [(2, 2, 3), (1, 2, 3)]


def test_transform_of_a_list_of_single_values():
    dataset = TransformDataset([1.0, 2.0], lambda x: x + 1)
    assert dataset.batch([0, 1])[0].tolist() == [2, 3]


def test_transform_that_cannot_be_called():
    with pytest.raises(DTypeError, match="transform: 3"):
        TransformDataset([1], 3)


def test_base_class_says_what_to_define():
    with pytest.raises(NotImplementedError, match="Dataset must define __len__"):
        len(Dataset())
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]


@pytest.mark.parametrize(
    ("items", "dtype"),
    [
        ([1.0, 2.0], np.float32),
        ([1.0, 2], np.float32),
        ([1, 2], np.int64),
        ([True, False], np.bool_),
        ([np.float64(1), np.float64(2)], np.float64),
        ([np.uint8(1), np.uint8(2)], np.uint8),
    ],
)
def test_collate_dtypes(items, dtype):
    batch = collate(items)
    assert batch.dtype == dtype and batch.tolist() == items


def test_collate_dicts_and_nested_tuples():
    batch = collate([{"x": (np.zeros(2), 1), "y": 3}, {"x": (np.ones(2), 2), "y": 4}])
    assert batch["x"][0].tolist() == [[0, 0], [1, 1]] and batch["x"][1].tolist() == [1, 2]
    assert batch["y"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("items", "error", "match"),
    [
        ([], ArgumentError, "items must not be empty"),
        ([np.zeros(2), np.zeros(3)], ShapeError, r"items\[1\]: \(3,\)"),
        ([(1, 2), (1,)], ShapeError, "item 1 has others than item 0"),
        ([{"a": 1}, {"b": 1}], ShapeError, "item 1 has others than item 0"),
        ([(1, 2), 3], ShapeError, "item 1 has others than item 0"),
        ([object()], DTypeError, "collate_fn"),
        ([None], DTypeError, "collate_fn"),
    ],
)
def test_collate_errors(items, error, match):
    with pytest.raises(error, match=match):
        collate(items)


def test_normalize_against_float64():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 5), dtype=np.uint8)
    mean, std = np.array([0.1, 0.4, 0.9]), np.array([0.2, 0.3, 0.5])
    z, extra = Normalize(mean, std)(pixels, "kept")
    assert z.dtype == np.float32 and z.shape == pixels.shape and extra == "kept"
    want = (pixels / 255 - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(z, want, atol=1e-6)


def test_normalize_to_unit_range_is_exact():
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(Normalize()(pixels)[0], pixels.astype(np.float32) / np.float32(255))
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("arguments", [{"std": 0}, {"std": [1, -1]}, {"scale": 0}, {"mean": np.nan}, {"std": np.nan}])
def test_normalize_by_nothing(arguments):
    with pytest.raises(ArgumentError, match="std > 0"):
        Normalize(**arguments)


def test_normalize_wrong_channels():
    with pytest.raises(ShapeError, match=r"images: \(2, 1, 4, 4\)"):
        Normalize(mean=[0.1, 0.2, 0.3])(np.zeros((2, 1, 4, 4), np.uint8))
    with pytest.raises(ShapeError, match="one number, or one per channel"):
        Normalize(mean=[[0.1]])
    with pytest.raises(DTypeError, match="numeric"):
        Normalize()(np.array(["a"]))
