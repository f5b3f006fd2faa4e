"""PyTorch with `torch.compile`: whole networks only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.libraries import Unsupported, pytorch

version = pytorch.version


def prepare(kind: str, options: dict[str, Any]) -> Callable[[], Any]:
    """See the package's docstring."""
    if kind not in ("step", "inference"):
        raise Unsupported("compiled are whole networks")
    return getattr(pytorch, kind)(**options, compiled=True)
