"""The loader: whole epochs, seeded orders, exact resume, and every error."""

import json

import numpy as np
import pytest

from tensorgrad.arrays.random import manual_seed
from tensorgrad.errors import ArgumentError, DTypeError, TensorgradError
from tensorgrad.nn.data import DataLoader, Dataset, Subset, TensorDataset, TransformDataset
from tensorgrad.nn.data.seeding import generator_state, prepare_generator_state, set_generator_state
from tensorgrad.tensor import Tensor


def numbers(n=23):
    return TensorDataset(np.arange(n), np.arange(n) % 3)


def epoch(loader):
    """The items of an epoch, batch by batch, as lists."""
    return [np.asarray(x).tolist() for x, _ in loader]


def rest(iterator):
    return [np.asarray(x).tolist() for x, _ in iterator]


@pytest.mark.parametrize("n", [0, 1, 5, 6, 7])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_item_once(n, drop_last, shuffle):
    loader = DataLoader(numbers(n), 3, shuffle, drop_last=drop_last, generator=0)
    batches = epoch(loader)
    seen = [item for batch in batches for item in batch]
    assert len(batches) == len(loader) == (n // 3 if drop_last else -(-n // 3))
    assert len(seen) == len(set(seen)) == (n // 3 * 3 if drop_last else n) and set(seen) <= set(range(n))
    if not shuffle:
        assert seen == list(range(len(seen)))


def test_batches_are_tensors():
    x, y = next(iter(DataLoader(numbers(), 4)))
    assert isinstance(x, Tensor) and isinstance(y, Tensor) and x.shape == (4,)


def test_dicts_become_dicts_of_tensors():
    batch = next(iter(DataLoader([{"x": 1.0}, {"x": 2.0}], 2)))
    assert isinstance(batch["x"], Tensor) and np.asarray(batch["x"]).tolist() == [1, 2]


def test_a_batch_can_be_changed_without_changing_the_dataset():
    data = np.zeros((4, 2), np.float32)
    for (x,) in DataLoader(TensorDataset(data), 4):
        np.asarray(x)[...] = 1
    assert not data.any()


def test_seeded_shuffling():
    def two_epochs(generator):
        loader = DataLoader(numbers(), 4, shuffle=True, generator=generator)
        return epoch(loader), epoch(loader)

    first, second = two_epochs(7)
    assert (first, second) == two_epochs(7) == two_epochs(np.random.default_rng(7))
    assert first != second and first != two_epochs(8)[0]


def test_package_wide_generator():
    loader = DataLoader(numbers(), 4, shuffle=True)
    manual_seed(11)
    first = epoch(loader)
    assert epoch(loader) != first
    manual_seed(11)
    assert epoch(loader) == first


def test_no_draw_without_shuffling():
    manual_seed(11)
    want = np.random.default_rng(11).integers(1 << 60)
    epoch(DataLoader(numbers(), 4))
    assert manual_seed(11).integers(1 << 60) == want


class ItemByItem(Dataset):
    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


@pytest.mark.parametrize("as_list", [False, True])
def test_fast_path_equals_slow_path(as_list):
    rng = np.random.default_rng(0)
    fast = TensorDataset(rng.normal(size=(17, 2, 3)).astype(np.float32), rng.integers(0, 9, 17).astype(np.int32))
    slow = list(fast) if as_list else ItemByItem(fast)
    loaders = [DataLoader(dataset, 5, shuffle=True, generator=1) for dataset in (fast, slow)]
    for fields in zip(*loaders, strict=True):
        for a, b in zip(*map(list, fields), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_fast_path_fetches_no_single_item(monkeypatch):
    monkeypatch.setattr(TensorDataset, "__getitem__", None)
    dataset = TransformDataset(Subset(numbers(), range(10)), lambda x, y: (x, y))
    assert len(epoch(DataLoader(dataset, 5, shuffle=True, generator=0))) == 2


def test_collate_fn_gets_items_and_is_not_touched():
    loader = DataLoader(["a", "bb", "ccc"], 2, collate_fn=lambda items: "+".join(items))
    assert list(loader) == ["a+bb", "ccc"]


def test_two_iterations_at_once_are_independent():
    loader = DataLoader(numbers(), 4, shuffle=True, generator=3)
    twin = DataLoader(numbers(), 4, shuffle=True, generator=3)
    pairs = [(np.asarray(a).tolist(), np.asarray(b).tolist()) for (a, _), (b, _) in zip(loader, loader, strict=True)]
    first, second = epoch(twin), epoch(twin)
    assert pairs == list(zip(first, second, strict=True))


def test_the_state_is_that_of_the_iteration_begun_last():
    loader = DataLoader(numbers(), 4)
    first, second = iter(loader), iter(loader)
    next(second)
    rest(first)
    assert loader.state_dict()["position"] == 1


def test_breaking_off_begins_a_new_epoch():
    loader, twin = (DataLoader(numbers(), 4, shuffle=True, generator=3) for _ in range(2))
    next(iter(loader))
    epoch(twin)
    assert epoch(loader) == epoch(twin)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("taken", [0, 1, 3, 6])
def test_resume_in_the_middle_of_an_epoch(bits, shuffle, taken):
    loader = DataLoader(numbers(), 4, shuffle, generator=np.random.Generator(bits(5)))
    epoch(loader)
    batches = iter(loader)
    for _ in range(taken):
        next(batches)
    state = json.loads(json.dumps(loader.state_dict()))
    want = [rest(batches), epoch(loader), epoch(loader)]

    resumed = DataLoader(numbers(), 4, shuffle, generator=np.random.Generator(bits(99)))
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert [epoch(resumed), epoch(resumed), epoch(resumed)] == want
    assert len(want[0]) == 6 - taken


@pytest.mark.parametrize("epochs", [0, 2])
def test_resume_between_epochs(epochs):
    loader = DataLoader(numbers(), 4, shuffle=True, generator=5)
    for _ in range(epochs):
        epoch(loader)
    state = json.loads(json.dumps(loader.state_dict()))
    assert state["position"] is None and state["order"] is None
    resumed = DataLoader(numbers(), 4, shuffle=True, generator=6)
    epoch(resumed)
    next(iter(resumed))  # an epoch under way is forgotten
    resumed.load_state_dict(state)
    assert [epoch(resumed), epoch(resumed)] == [epoch(loader), epoch(loader)]


def test_resume_when_others_draw_from_the_same_generator():
    rng = np.random.default_rng(5)
    loader = DataLoader(numbers(), 4, shuffle=True, generator=rng)
    batches = iter(loader)
    next(batches)
    rng.random(3)  # dropout between the batches
    state = loader.state_dict()
    want = [rest(batches), rng.random(), epoch(loader)]
    other = np.random.default_rng(0)
    resumed = DataLoader(numbers(), 4, shuffle=True, generator=other)
    resumed.load_state_dict(state)
    assert [epoch(resumed), other.random(), epoch(resumed)] == want


def good_state():
    loader = DataLoader(numbers(), 4, shuffle=True, generator=5)
    next(iter(loader))
    return loader.state_dict()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"length": 24}, "length must be 23, got 24"),
        ({"batch_size": 5}, "batch_size must be 4, got 5"),
        ({"shuffle": False}, "shuffle must be True, got False"),
        ({"drop_last": True}, "drop_last must be False, got True"),
        ({"position": 7}, r"position must be an int in \[0, 6\] or None, got 7"),
        ({"position": -1}, "position: -1"),
        ({"position": 1.5}, "position: 1.5"),
        ({"order": None}, "permutation of the 23 items"),
        ({"order": [0] * 23}, "permutation of the 23 items"),
        ({"order": list(range(22))}, "permutation of the 23 items"),
        ({"order": [list(range(23))]}, "permutation of the 23 items"),
        ({"generator": None}, "a state of PCG64"),
        ({"generator": {"bit_generator": "MT19937"}}, "a state of PCG64"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, match):
    loader, twin = (DataLoader(numbers(), 4, shuffle=True, generator=1) for _ in range(2))
    with pytest.raises(ArgumentError, match=match):
        loader.load_state_dict({**good_state(), **change})
    assert epoch(loader) == epoch(twin)


def test_a_state_with_a_key_missing():
    with pytest.raises(ArgumentError, match="length: 'missing'"):
        DataLoader(numbers(), 4).load_state_dict({})


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, "4"])
def test_batch_size_errors(batch_size):
    with pytest.raises(ArgumentError, match=r"batch_size must be an int ≥ 1"):
        DataLoader(numbers(), batch_size)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"dataset": 3}, "__len__ and __getitem__"),
        ({"dataset": iter([1])}, "__len__ and __getitem__"),
        ({"collate_fn": 3}, "collate_fn: 3"),
        ({"generator": "seed"}, "generator: 'seed'"),
    ],
)
def test_argument_type_errors(arguments, match):
    with pytest.raises(DTypeError, match=match):
        DataLoader(**{"dataset": numbers(), **arguments})


def test_an_error_in_the_dataset_comes_through_and_loses_no_batch():
    class Flaky(TensorDataset):
        broken = False

        def batch(self, indices):
            if self.broken:
                raise KeyError("gone")
            return super().batch(indices)

    dataset = Flaky(np.arange(8))
    loader = DataLoader(dataset, 2)
    batches = iter(loader)
    next(batches)
    dataset.broken = True
    with pytest.raises(KeyError, match="gone"):
        next(batches)
    assert loader.state_dict()["position"] == 1


def test_our_errors_have_one_base():
    with pytest.raises(TensorgradError):
        DataLoader(numbers(), 0)


# --------------------------------------------------------------------------------------------------- generators' states

GENERATORS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("kind", GENERATORS)
def test_every_generator_goes_on_where_its_state_was_taken(kind):
    one, other = (np.random.Generator(kind(seed)) for seed in (1, 2))
    one.integers(0, 9, 7, dtype=np.uint32)  # an odd number of half words
    state = json.loads(json.dumps(generator_state(one)))
    load = prepare_generator_state("test", other, state)
    assert generator_state(other) != state
    load()
    assert generator_state(other) == state and other.random() == one.random()


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (np.random.MT19937, ("state", "pos"), 10**6),  # NumPy would read beyond its buffer
        (np.random.MT19937, ("state", "pos"), -1),
        (np.random.MT19937, ("state", "key"), [1] * 623),
        (np.random.MT19937, ("state", "key"), [2**32] * 624),
        (np.random.Philox, ("buffer_pos",), -5),
        (np.random.Philox, ("buffer_pos",), 5),
        (np.random.Philox, ("buffer",), [1, 2, 3]),
        (np.random.PCG64, ("state", "inc"), 2**128),
        (np.random.PCG64, ("state", "state"), -1),
        (np.random.PCG64, ("uinteger",), 2**32),
        (np.random.PCG64, ("has_uint32",), "1"),
        (np.random.PCG64, ("bit_generator",), "MT19937"),
        (np.random.PCG64, ("more",), 1),
        (np.random.SFC64, ("state", "state"), [1, 2, 3, None]),
    ],
)
def test_states_that_a_generator_cannot_have_change_nothing(kind, path, value):
    generator = np.random.Generator(kind(0))
    before = generator_state(generator)
    state = json.loads(json.dumps(before))
    holder = state
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(ArgumentError, match=f"a state of {kind.__name__}"):
        set_generator_state("test", generator, state)
    assert generator_state(generator) == before
