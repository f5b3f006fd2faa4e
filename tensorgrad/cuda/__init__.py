"""PyTorch's `torch.cuda` on a machine without a GPU, for scripts that ask before they use one.

>>> import tensorgrad as tg
>>> device = "cuda" if tg.cuda.is_available() else "cpu"
>>> device
'cpu'
"""

from tensorgrad.cuda import amp as amp

__all__ = ["amp", "device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize"]


def is_available() -> bool:
    """False: tensorgrad runs on the CPU."""
    return False


def device_count() -> int:
    """0."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing: `tg.manual_seed` seeds the CPU's generator."""


def manual_seed_all(seed: int) -> None:
    """Nothing: `tg.manual_seed` seeds the CPU's generator."""


def empty_cache() -> None:
    """Nothing: `tg.empty_cache` frees the CPU's."""


def synchronize(device: object = None) -> None:
    """Nothing: there is nothing to wait for."""
