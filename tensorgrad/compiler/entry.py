"""What is known of the calls of one kind: what they did, in each state of what the function reads."""

from __future__ import annotations

import itertools
from typing import Any

from tensorgrad.compiler.call import Call
from tensorgrad.compiler.guards.exact import same
from tensorgrad.compiler.guards.guards import Guards
from tensorgrad.compiler.recording import HELPERS
from tensorgrad.compiler.replay import Plan, Program
from tensorgrad.compiler.steps import GuardFailed

STATES = 8
"""Recordings of one kind of call that are kept: a module in training, the same in evaluation, ..."""

PATIENCE = 8
"""Recordings in a row without a replay after which a kind of call is given up."""

CHANGES = 3
"""Recordings that change what they read, after which a kind of call is given up: the first may fill a cache."""

ERRORS = 16
"""Replays in a row that raise where the function itself doesn't, until a kind of call is given up."""

STOPS = 4
"""Replays in a row that stop early, because a condition turned out otherwise, until calls are recorded anew."""

clock = itertools.count()
"""A running number, by which the entries used least recently are found."""


class State:
    """What a call of one kind did while everything that it reads was in one state."""

    def __init__(self, guards: Guards, call: Call, structure: Any) -> None:
        self.guards, self.structure = guards, structure
        self.bound = self._bound(call)
        self.plan: Plan | None = None
        self.program: Program | None = None
        self.problem: str | None = None

    def _bound(self, call: Call) -> list[int]:
        """The identities of inputs that the function can also reach by itself, 0 for all others."""
        tensors = self.guards.tensors
        return [id(x) if id(x) in tensors else 0 for x in call.inputs]

    def matches(self, call: Call) -> bool:
        """Whether everything that the function reads is as in this state."""
        return self.guards.changed() is None and self._bound(call) == self.bound

    def agrees_with(self, other: State) -> bool:
        """Whether both calls did the same, so that a third will too."""
        return (
            other.plan is not None
            and self.plan is not None
            and same(self.structure, other.structure)
            and self.plan.agrees_with(other.plan)
        )


class Entry:
    """What is known of one kind of call.

    Attributes:
        states: those that were recorded, the latest used first.
        used: when it was used last, by a running number.
        failures, stops: recordings, and replays that stopped early, since the last complete replay.
        errors: replays since then that raised where the function itself did not.
        given_up: why no more recordings are made; None while they are.
    """

    def __init__(self) -> None:
        self.states: list[State] = []
        self.failures = self.stops = self.errors = 0
        self.given_up: str | None = None
        self.used = next(clock)
        self._changes = 0
        self._difference: str | None = None
        self._leaf: str | None = None

    @property
    def program(self) -> Program | None:
        """That of the state used last, if there is one."""
        return self.states[0].program if self.states else None

    @property
    def nbytes(self) -> int:
        """Bytes of the constants of its programs."""
        programs = {id(state.program): state.program for state in self.states if state.program is not None}
        return sum(program.nbytes for program in programs.values())

    @property
    def problems(self) -> list[str]:
        """Why calls of this kind, or some of them, can't be replayed."""
        found = [state.problem for state in self.states if state.problem is not None]
        return [*found, self.given_up] if self.given_up else found

    def state_of(self, call: Call) -> State | None:
        """The state whose guards hold now; None if there is none."""
        states = self.states  # another thread may put a new list in its place
        for k, state in enumerate(states):
            if state.matches(call):
                if k:
                    self.states = [state, *states[:k], *states[k + 1 :]]
                return state
        self._difference = states[0].guards.changed() if states else None
        return None

    def stopped(self, state: State) -> None:
        """A replay has stopped early. After several in a row the call is recorded anew."""
        self.stops += 1
        if self.stops >= STOPS:
            self.stops, self.states = 0, [other for other in self.states if other is not state]

    def failed_alone(self, error: Exception) -> bool:
        """A replay raised and the function itself did not. Returns whether calls of this kind are given up for that."""
        self.errors += 1
        if self.errors < ERRORS or self.given_up:
            return False
        if isinstance(error, GuardFailed):
            self._give_up("something by which it decides what to do turns out otherwise in each replay")
        else:
            self._give_up(f"its replays raise {type(error).__name__} ({error}), and it does not")
        self.states = []
        return True

    def learn(self, found: State, changed: str | None) -> None:
        """A call was recorded: the next can be replayed if this one did what an earlier one did."""
        self.failures += 1
        if found.problem is not None:
            self._keep(found)
        elif changed is not None:
            self._changes += 1
            if self._changes >= CHANGES:
                self._give_up(f"it changes {changed}, which it can read")
        else:
            self._compare(found)
            self._keep(found)
        if self.failures >= PATIENCE and not self.given_up:
            what, fix = "its ops, numbers or tensors differ", ""
            if self._difference:
                what, fix = f"{self._difference} differs", "; pass it as an argument, or keep it in a tensor"
            elif self._leaf:
                what, fix = f"a tensor that no op made ({self._leaf}) differs", f"; {HELPERS}"
            self._give_up(f"{what} from call to call{fix}")

    def _compare(self, found: State) -> None:
        """Take the plan of an earlier recording that did the same, and make its program; else note a difference."""
        assert found.plan is not None
        recording, latest = found.plan.recording, self.states[0].plan if self.states else None
        known = next((state for state in self.states if found.agrees_with(state)), None)
        if known is None or known.plan is None:
            self._leaf = None if latest is None else recording.differing_leaf(latest.recording)
            return
        if known.program is None:
            made_anew = known.plan.recording.made_anew(recording)
            if known.plan.returns_one_of({*made_anew, *known.plan.recording.constants}):
                found.problem = "it returns a constant, and a replay would return the same memory each time"
            else:
                known.program = Program(known.plan, made_anew)
        found.plan, found.program = known.plan, known.program
        if self._difference is None:
            self.failures = 0

    def _keep(self, found: State) -> None:
        replaced = [state for state in self.states if state.guards.changed() is None and state.bound == found.bound]
        others = [state for state in self.states if state not in replaced or state.program is None]
        self.states = [found, *others][:STATES]

    def _give_up(self, problem: str) -> None:
        self.given_up, self.states = problem, [state for state in self.states if state.program is not None]
