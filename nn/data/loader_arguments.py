"""Checks of a DataLoader's arguments."""

from __future__ import annotations

import operator
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.state import is_count


def positive_int(batch_size: Any) -> int:
    """`batch_size` as an int. Raises ArgumentError unless it is an int ≥ 1."""
    try:
        size = operator.index(batch_size)
    except TypeError:
        size = 0
    if isinstance(batch_size, bool) or size < 1:
        problem = f"batch_size must be an int ≥ 1, got {batch_size!r}"
        raise ArgumentError(restate("DataLoader", problem, batch_size=batch_size))
    return size


def check_exclusive(streams: bool, batch_size: Any, shuffle: Any, sampler: Any, batches: Any, drop_last: Any) -> None:
    """Raise ArgumentError for arguments that exclude each other."""
    order = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batches}
    given = {name: value for name, value in order.items() if value is not None}
    if streams and given:
        problem = f"an IterableDataset decides on its order itself: {' and '.join(given)} must not be given"
        raise ArgumentError(restate("DataLoader", problem, **given))
    if batches is not None and (len(given) > 1 or drop_last or batch_size != 1):
        problem = "batch_sampler decides on the batches: batch_size, shuffle, sampler and drop_last must not be given"
        raise ArgumentError(restate("DataLoader", problem, batch_size=batch_size, drop_last=drop_last, **given))
    if len(given) > 1:
        problem, fix = "sampler and shuffle exclude each other", "pass a RandomSampler, or shuffle=True alone"
        raise ArgumentError(restate("DataLoader", problem, fix=fix, **given))
    if batch_size is None and drop_last:
        problem = "drop_last needs batches, but batch_size is None"
        raise ArgumentError(restate("DataLoader", problem, batch_size=batch_size, drop_last=drop_last))


def check_workers(num_workers: Any, timeout: Any, prefetch_factor: Any, persistent_workers: Any) -> None:
    """Raise ArgumentError for a number of workers that isn't an int ≥ 0, and for options that need workers."""
    if not is_count(num_workers):
        problem = f"num_workers must be an int ≥ 0, got {num_workers!r}"
        raise ArgumentError(restate("DataLoader", problem, num_workers=num_workers))
    if not isinstance(timeout, int | float) or not timeout >= 0:
        raise ArgumentError(restate("DataLoader", f"timeout must be a number ≥ 0, got {timeout!r}", timeout=timeout))
    if prefetch_factor is not None and (not is_count(prefetch_factor) or prefetch_factor < 1):
        problem = f"prefetch_factor must be an int ≥ 1 or None, got {prefetch_factor!r}"
        raise ArgumentError(restate("DataLoader", problem, prefetch_factor=prefetch_factor))
    if num_workers == 0 and (prefetch_factor is not None or persistent_workers):
        problem, fix = "prefetch_factor and persistent_workers need workers", "pass num_workers=1 or more"
        options = {"prefetch_factor": prefetch_factor, "persistent_workers": persistent_workers}
        raise ArgumentError(restate("DataLoader", problem, fix=fix, num_workers=num_workers, **options))
