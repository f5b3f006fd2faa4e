"""The user's program: the line that called an op, and a call that was refused before any op ran."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable

OPS = "tensorgrad.ops."
"""The modules whose functions check arguments before they apply an op."""

Line = tuple[str, int]
"""A file and the number of a line."""


@dataclass(frozen=True)
class RefusedCall:
    """A function of this package that raised before it applied an op.

    Attributes:
        function: its name.
        operands: its tensors, by the names of the arguments.
        source: the line of the user's program that called it.
    """

    function: str
    operands: dict[str, Variable]
    source: Line | None

    @property
    def op(self) -> Op:
        """An op that stands for the call: it has the name of the function, and the arguments as inputs."""
        return _op(self.function, self.operands)


def _op(function: str, operands: Iterable[str]) -> Op:
    kind: Any = type("Refused", (Op,), {"name": function, "symbol": function})
    kind.inputs, kind.variadic = tuple(operands), False
    return kind()


def refused_call(traceback: TracebackType | None) -> RefusedCall | None:
    """The function that refused a call, by the traceback of its error; None where no op's function was reached."""
    source = None
    while traceback is not None and not _module(traceback.tb_frame).startswith(OPS):
        if not _is_ours(traceback.tb_frame):
            source = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    if traceback is None:
        return None
    code, values = traceback.tb_frame.f_code, traceback.tb_frame.f_locals
    arguments = [(name, values[name]) for name in code.co_varnames[: code.co_argcount]]
    operands = {name: value for name, value in arguments if isinstance(value, Variable)}
    return RefusedCall(code.co_name, operands, source)


def calling_line(frame: FrameType | None) -> Line | None:
    """The innermost line outside of this package, from `frame` outwards: that of the user's program."""
    while frame is not None:
        if not _is_ours(frame):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def _is_ours(frame: FrameType) -> bool:
    return _module(frame).partition(".")[0] == "tensorgrad"


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")
