"""PyTorch's `torch.backends.mps`, for scripts that ask before they use it."""


def is_available() -> bool:
    """False: tensorgrad runs on the CPU."""
    return False


def is_built() -> bool:
    """False: tensorgrad runs on the CPU."""
    return False
