"""PyTorch's `torch.cuda.amp`, the older names of `torch.amp`."""

from __future__ import annotations

from tensorgrad import amp


class autocast(amp.autocast):
    """`amp.autocast` without a device type: ops compute in the dtypes of their inputs.

    >>> import tensorgrad as tg
    >>> with tg.cuda.amp.autocast(enabled=True):
    ...     print((tg.ones(2) * 2).dtype)
    float32
    """

    def __init__(self, enabled: bool = True, dtype: object = None, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`amp.GradScaler` without a device: nothing is scaled.

    >>> import tensorgrad as tg
    >>> tg.cuda.amp.GradScaler(enabled=False).is_enabled()
    False
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
