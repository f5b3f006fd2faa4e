"""The user's program: the line that called an op, and a call that was refused before any op ran."""

from __future__ import annotations

import dis
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType
from typing import Any

from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable

OPS = "tensorgrad.ops."
"""The modules whose functions check arguments before they apply an op."""

_BINDS = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
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


def calling_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame outside of this package, from `frame` outwards: that of the user's program."""
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def assigned_at(code: CodeType, offset: int) -> str:
    """The variable that the program assigns the result of an instruction to; `""` for none, or a name with _ in front.

    The instruction that follows tells it, so `h = f(2 * x)` gives a name to what f returns and none to 2 · x, and
    `h = [2 * x]` none to either.

    >>> code = compile("h = 2 * x", "", "exec")
    >>> [assigned_at(code, found.offset) for found in dis.get_instructions(code) if found.opname.startswith("BINARY")]
    ['h']
    """
    # While a call runs, the offset may be that of the inline cache behind the instruction.
    later = (found for found in dis.get_instructions(code) if found.offset > offset)
    following = next((found for found in later if found.opname not in ("COPY", "NOP")), None)
    if following is None or not following.opname.startswith(_BINDS):
        return ""
    # Newer versions of Python do two things in one instruction, the first of which is to bind the name.
    name = following.argval[0] if isinstance(following.argval, tuple) else following.argval
    return "" if name.startswith("_") else name


def held_by(frame: FrameType, value: Any) -> str:
    """The variable of a frame that holds this very object, of those that its code names; `""` for none.

    A name with _ in front doesn't count.
    """
    code = frame.f_code
    within = frame.f_locals
    for name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars, *code.co_names):
        held = within.get(name, frame.f_globals.get(name))
        if held is value and not name.startswith("_"):
            return name
    return ""


def _is_ours(frame: FrameType) -> bool:
    return _module(frame).partition(".")[0] == "tensorgrad"


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")
