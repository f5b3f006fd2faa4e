"""PyTorch's devices, of which tensorgrad has one: the CPU."""

from __future__ import annotations

from tensorgrad.arrays.dtypes import check_device


class device:
    """The CPU, so that PyTorch's `device=torch.device("cpu")` runs.

    Args:
        type: "cpu", or "cpu:0".
        index: accepted, and without effect.

    Raises:
        ArgumentError: any other device.

    >>> import tensorgrad as tg
    >>> tg.device("cpu")
    device(type='cpu')
    """

    type = "cpu"
    index = None

    def __init__(self, type: object = "cpu", index: int | None = None) -> None:
        check_device("device", type)

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"

    def __eq__(self, other: object) -> bool:
        return str(other) == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")


CPU = device()
