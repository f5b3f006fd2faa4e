"""The user's program: the line that called an op, and a call that was refused before any op ran."""

from __future__ import annotations

import dis
import inspect
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType
from typing import Any

from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable

OPS = "tensorgrad.ops."
"""The modules whose functions check arguments before they apply an op."""

_BINDS = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
_KEEP = ("NOP", "PRECALL", "KW_NAMES", "EXTENDED_ARG", "CACHE", "RESUME")
"""Instructions that leave the top of the stack as it is."""
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

    The instructions that follow tell it, so `h = f(2 * x)` gives a name to what f returns and none to 2 · x, and
    `h = [2 * x]` none to either; of `m, s = f(x), g(x)` both get theirs.

    >>> code = compile("h = 2 * x; m, s = h + 1, h - 1", "", "exec")
    >>> [assigned_at(code, found.offset) for found in dis.get_instructions(code) if found.opname.startswith("BINARY")]
    ['h', 'm', 's']
    """
    above = 0  # how many values lie above the result on the stack of the interpreter
    # While a call runs, the offset may be that of the inline cache behind the instruction.
    later = (found for found in dis.get_instructions(code) if found.offset > offset)
    for found, following in itertools.pairwise(itertools.chain(later, [None])):
        assert found is not None
        if found.opname.startswith(_BINDS):
            # Newer versions of Python do two things in one instruction, the first of which is to bind the name.
            names = found.argval if isinstance(found.argval, tuple) else (found.argval,)
            stored = names[: found.opname.count("STORE")]
            if above < len(stored):
                return "" if stored[above].startswith("_") else stored[above]
        moved = _moved(found, following, above)
        if moved is None:
            return ""
        above = moved
    return ""


def _moved(found: dis.Instruction, following: dis.Instruction | None, above: int) -> int | None:
    """How many values lie above a value after an instruction that had `above` of them; None where it uses the value."""
    size = found.arg or 0
    if found.opname == "COPY":
        return 0 if size == above + 1 else above + 1  # `a = b = x` binds the copy to a
    if found.opname == "SWAP":
        return {0: size - 1, size - 1: 0}.get(above, above)
    if found.opname == "BUILD_TUPLE" and above < size:
        unpacked = following is not None and following.opname == "UNPACK_SEQUENCE" and following.arg == size
        return -above - 1 if unpacked else None
    if found.opname == "UNPACK_SEQUENCE" and above < 0:
        return size + above
    if found.opcode in dis.hasjrel or found.opcode in dis.hasjabs:
        return None
    effect = dis.stack_effect(found.opcode, found.arg)
    # An instruction leaves one value, or none if it stores; those that take one value may leave several.
    left = 0 if found.opname.startswith(("STORE", "POP")) else 1
    taken = max(left - effect, int(found.opname in ("LOAD_ATTR", "LOAD_METHOD", "UNPACK_SEQUENCE", "UNPACK_EX")))
    return None if taken > above and found.opname not in _KEEP else above + effect


def held_by(frame: FrameType, value: Any, with_arguments: bool = True) -> str:
    """The variable of a frame that holds this very object, of those that its code names; `""` for none.

    A name with _ in front doesn't count.
    """
    code = frame.f_code
    within = frame.f_locals
    arguments = () if with_arguments else _arguments(code)
    for name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars, *code.co_names):
        held = within.get(name, frame.f_globals.get(name))
        if held is value and not name.startswith("_") and name not in arguments:
            return name
    return ""


def kept_in(frame: FrameType | None, value: Any) -> str:
    """The variable that the user's program keeps a result in, while an op uses it; `""` for none.

    So `m, s = encoder(x)` names what the encoder returned. What a function got as an argument has the name that its
    caller gave it.
    """
    while frame is not None:
        if name := held_by(frame, value, with_arguments=False):
            return name
        frame = calling_frame(frame.f_back)
    return ""


def _arguments(code: CodeType) -> tuple[str, ...]:
    more = sum(bool(code.co_flags & flag) for flag in (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS))
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + more]


def _is_ours(frame: FrameType) -> bool:
    return _module(frame).partition(".")[0] == "tensorgrad"


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "")
