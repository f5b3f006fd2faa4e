"""PyTorch's `torch.backends.cuda`: the switches may be set, and change nothing."""

from types import SimpleNamespace

matmul = SimpleNamespace(allow_tf32=False)


def is_built() -> bool:
    """False: tensorgrad runs on the CPU."""
    return False
