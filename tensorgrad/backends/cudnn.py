"""PyTorch's `torch.backends.cudnn`: the switches may be set, and change nothing.

The same seed and number of threads give the same bits, whatever `deterministic` says.
"""

enabled = True
benchmark = False
deterministic = False
allow_tf32 = False


def is_available() -> bool:
    """False: tensorgrad runs on the CPU."""
    return False


def version() -> None:
    """None: there is no cuDNN."""
