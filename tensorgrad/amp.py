"""PyTorch's `torch.amp`: scripts with mixed precision run, in float32 throughout.

Half precision pays on GPUs. On the CPU `autocast` lets every op compute in the dtype of its inputs, and `GradScaler` is
disabled, as PyTorch's is without a GPU: float32 holds small gradients without a scale.
"""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any, TypeVar

T = TypeVar("T")


class autocast(ContextDecorator):
    """A context, or a decorator, in which ops compute in the dtypes of their inputs, as outside it.

    Args:
        device_type: accepted: "cuda" or "cpu".
        dtype: accepted.
        enabled: accepted.
        cache_enabled: accepted.

    >>> import tensorgrad as tg
    >>> with tg.autocast("cuda", dtype=tg.float16):
    ...     print((tg.ones(2) * 2).dtype)
    float32
    """

    def __init__(
        self, device_type: str = "cuda", dtype: object = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device = device_type

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class GradScaler:
    """The scaler that scales nothing: `scale(loss)` is the loss, `step(optimizer)` is the optimizer's step.

    Args:
        device: accepted.
        init_scale: accepted.
        growth_factor: accepted.
        backoff_factor: accepted.
        growth_interval: accepted.
        enabled: accepted; the scaler is disabled, as PyTorch's is without a GPU.

    >>> import tensorgrad as tg
    >>> w = tg.ones(1, requires_grad=True)
    >>> optimizer, scaler = tg.optim.SGD([w], lr=0.5), tg.amp.GradScaler()
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.unscale_(optimizer)
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w.item(), scaler.get_scale(), scaler.is_enabled()
    (0.0, 1.0, False)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        pass

    def scale(self, outputs: T) -> T:
        """The outputs as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing: gradients aren't scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(*args, **kwargs)`."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: object = None) -> None:
        """Nothing: the scale stays 1."""

    def get_scale(self) -> float:
        """1: the scale."""
        return 1.0

    def is_enabled(self) -> bool:
        """False: nothing is scaled."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """An empty dict, as of PyTorch's disabled scaler."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing: there is no state to load; the state of an enabled scaler is ignored."""
