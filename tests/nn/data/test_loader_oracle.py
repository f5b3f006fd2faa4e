"""Loaders with generated arguments give the batches of PyTorch's, structure and dtypes included."""

import collections

import numpy as np
import pytest

from tensorgrad.tensor import Tensor
from tensorgrad.utils import data as ours

pytestmark = pytest.mark.oracle

Pair = collections.namedtuple("Pair", "image label")


def items(kind, n):
    rng = np.random.default_rng(n)
    makers = {
        "tuples": lambda k: (rng.normal(size=(2, 3)).astype(np.float32), k, float(k), f"item {k}"),
        "dicts": lambda k: {"x": rng.integers(0, 9, 4), "y": (k, [k, k + 1])},
        "named": lambda k: Pair(rng.random(3), bool(k % 2)),
        "numbers": lambda k: k / 4,
        "lists": lambda k: [np.float64(k), np.uint8(k)],
        "texts": lambda k: f"item {k}",
    }
    return [makers[kind](k) for k in range(n)]


def told(batch):
    """A batch as plain values, with the types of containers and the dtypes of tensors."""
    if isinstance(batch, dict):
        return {key: told(field) for key, field in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch).__name__, [told(field) for field in batch]
    if isinstance(batch, str | int | float) or batch is None:
        return batch
    return str(batch.dtype).removeprefix("torch."), batch.tolist()


def arguments(rng, n):
    """Arguments that both loaders take."""
    if rng.random() < 0.2 and n:
        return {"batch_sampler": [rng.integers(0, n, rng.integers(1, 4)).tolist() for _ in range(rng.integers(0, 5))]}
    options = {"batch_size": int(rng.integers(1, 6)), "drop_last": bool(rng.integers(2))}
    if rng.random() < 0.2:
        options = {"batch_size": None}
    if rng.random() < 0.4:
        options["sampler"] = rng.integers(0, n, rng.integers(0, 9)).tolist() if n else []
    return options


@pytest.mark.seeds(40)
def test_generated_loaders_are_pytorchs(seed):
    theirs = pytest.importorskip("torch").utils.data
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 9))
    kind = str(rng.choice(["tuples", "dicts", "named", "numbers", "lists", "texts"]))
    options, whole = arguments(rng, n), items(kind, n)
    streams = rng.random() < 0.2 and options.keys() <= {"batch_size", "drop_last"}
    results = []
    for module in (ours, theirs):
        dataset = whole
        if streams:
            dataset = type("Stream", (module.IterableDataset,), {"__iter__": lambda self: iter(whole)})()
        collate = module.default_convert if options.get("batch_size", 1) is None else module.default_collate
        loader = module.DataLoader(dataset, collate_fn=collate, **options)
        results.append(([told(batch) for batch in loader], None if streams else len(loader)))
    assert results[0] == results[1]


@pytest.mark.seeds(10)
def test_generated_datasets_are_pytorchs(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(int(rng.integers(1, 6)), 2)) for _ in range(3)]
    both = []
    for module, tensor in ((ours, Tensor), (torch.utils.data, torch.from_numpy)):
        parts = [module.TensorDataset(tensor(array), tensor(np.arange(len(array)))) for array in arrays]
        joined = parts[0] + parts[1] + parts[2]
        some = module.Subset(joined, [len(joined) - 1, 0])
        stacked = module.StackDataset(a=some, b=[5, 6])
        split = [len(part) for part in module.random_split(joined, [0.3, 0.3, 0.4])]
        found = [told(joined[k]) for k in range(-len(joined), len(joined))], told(stacked[1]), split
        both.append((found, len(joined), module.ConcatDataset(parts).cumulative_sizes))
    assert both[0] == both[1]
