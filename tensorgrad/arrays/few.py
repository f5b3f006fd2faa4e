"""Up to how many elements NumPy may do a pass in place of a kernel, which computes the same bits."""

FEW = 1024
"""Elements up to which a pass of NumPy takes less time than the launch of a kernel."""

limit = -1
"""FEW; −1 until kernels are loaded, while launches are recorded, where NumPy's work would be missing, and while every
variant of each kernel is compiled. `kernels.jit.dispatch` sets it."""


def allow(allowed: bool) -> None:
    """Let NumPy do the passes over few elements, or leave all of them to kernels."""
    global limit
    limit = FEW if allowed else -1
