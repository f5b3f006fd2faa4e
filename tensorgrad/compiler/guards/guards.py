"""What a function reads besides its arguments: noted at a recording, and compared before each replay.

A value has not changed if it is the same object, or a plain value of the same type and bits. `traversal.py` finds what
the function can read.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Container, Iterable
from operator import is_
from typing import Any

from tensorgrad.autograd import configuration
from tensorgrad.compiler.guards.patches import watch
from tensorgrad.compiler.guards.snapshot import Snapshot
from tensorgrad.compiler.guards.traversal import Traversal


class Guards:
    """Everything that a function can read besides its tensor arguments, as it is now.

    Args:
        function: where the traversal starts.
        arguments: objects among the arguments of a call that aren't tensors, nor plain values.
        ran: the code that a call ran, if it is known: other code is ignored.

    Attributes:
        problem: why something that the function reads couldn't be followed; None if everything could.
        codes: the code objects that the traversal found.
        tensors: the tensors that it found, by identity.
        generators: the random generators that it found.
    """

    def __init__(
        self, function: Callable[..., Any], arguments: Iterable[Any] = (), ran: Container[types.CodeType] | None = None
    ) -> None:
        watch()  # from now on patches of the library are noticed
        traversal = Traversal(ran)
        traversal.reach_patches()
        traversal.reach(function, getattr(function, "__name__", type(function).__name__))
        for argument in arguments:
            traversal.reach(argument, f"an argument ({type(argument).__name__})")
        self._each_replay: list[Snapshot] = []
        self._when_reconfigured: list[Snapshot] = []
        try:
            traversal.run()
            self._each_replay, self._when_reconfigured = traversal.snapshots()
        except Exception as error:  # raised by a user's own code, such as __iter__
            traversal.refuse(f"what it reads can't be followed: {type(error).__name__}: {error}")
        self.codes, self.tensors, self.generators = traversal.codes, traversal.tensors, traversal.generators
        self.problem = traversal.problem
        # A counter of changes to modules, among others. While it stays the same, `_when_reconfigured` isn't compared.
        self._configuration = configuration.current()

    def changed(self) -> str | None:
        """The name of something that has changed; None if the recording is still valid."""
        for snapshot in self._each_replay:
            # As at the beginning of Snapshot.changed, without the call: this runs before each replay.
            try:
                found = snapshot.read()
            except Exception:  # a value isn't there any longer, or a user's own code raised
                return snapshot.changed()
            expected = snapshot.expected
            if (len(found) != len(expected) or not all(map(is_, found, expected))) and (what := snapshot.changed()):
                return what
        if self._configuration != (now := configuration.current()):
            for snapshot in self._when_reconfigured:
                if what := snapshot.changed():
                    return what
            self._configuration = now
        return None


def changed_by(before: Guards, ran: Guards) -> str | None:
    """The name of something that a call both reads and has changed, such as a counter; None if there isn't any.

    Args:
        before: the guards of everything that the function could read, made before the call.
        ran: the guards of what the code that the call ran can read, made after it.
    """
    read = {snapshot.path for snapshot in (*ran._each_replay, *ran._when_reconfigured)}
    for snapshot in (*before._each_replay, *before._when_reconfigured):
        if snapshot.path in read and (what := snapshot.changed()):
            return what
    return None
