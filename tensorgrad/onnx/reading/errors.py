"""The errors of ONNX exchange, and the one door to the `onnx` package, which is imported late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tensorgrad.errors import ArgumentError, TensorgradError, restate
from tensorgrad.system.forks import imported

SHOWN = 40
"""How many problems an error lists."""


class OnnxError(ArgumentError):
    """An ONNX file that is damaged, or a model that can't be taken: the message lists everything that is in the way."""


def onnx_package(call: str) -> Any:
    """The module `onnx`. Raises ImportError where it isn't installed."""
    try:
        imported("onnx.helper")  # "onnx" alone may be any folder of that name
        return imported("onnx")
    except ImportError as error:
        fix = "pip install 'tensorgrad-engine[onnx]'"
        raise ImportError(restate(call, f"the package onnx isn't installed: {error}", fix=fix)) from error


def all_at_once(call: str, problem: str, problems: Sequence[str], fix: str = "") -> OnnxError:
    """One error for all problems, each on a line of its own."""
    distinct = list(dict.fromkeys(problems))
    lines = [f"  - {line}" for line in distinct[:SHOWN]]
    if len(distinct) > SHOWN:
        lines.append(f"  … and {len(distinct) - SHOWN} more")
    return OnnxError("\n".join([f"{call}: {problem}", *lines, *([f"  fix: {fix}"] if fix else [])]))


@contextmanager
def only_onnx_errors(call: str, where: str) -> Iterator[None]:
    """Within, raise every error as an OnnxError: a damaged file may make any code fail in any way."""
    try:
        yield
    except OnnxError:
        raise
    except Exception as error:
        said = str(error).replace("\n", "\n  ") if isinstance(error, TensorgradError) else f"{error!r}"[:300]
        raise OnnxError(f"{call}: {where} failed\n  {said}") from error
