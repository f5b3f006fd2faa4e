"""Compiled functions against themselves, over generated worlds: see `worlds`."""

import pytest
from worlds import Difference, live

from tensorgrad.compiler import capture, journal, replay
from tensorgrad.compiler.capture import host_calls
from tensorgrad.compiler.recording import gradients, recording
from tensorgrad.kernels.jit import command_list
from tensorgrad.kernels.jit.opaque import real


@pytest.mark.seeds(40)
def test_compiled_is_plain_to_the_bit(seed):
    live(seed)


# ------------------------------------------------------------------------------------------------------ planted breaks
#
# Each takes away one of the things that make a replay right; some world must notice.


def guards_always_hold(patch):
    def check_guard(condition, found, *arguments):
        pass

    patch.setattr(recording, "check_guard", check_guard)
    patch.setattr(gradients, "check_guard", check_guard)


def status_flags_go_unnoticed(patch):
    patch.setattr(command_list.Recorder, "status_read", lambda self, flags: real(flags))


def parameters_never_move(patch):
    patch.setattr(capture.Captured, "follow", lambda self, arrays: True)


def host_calls_are_not_read(patch):
    def call(self, arrays, found):
        arguments = [host_calls.SOURCES.get(type(x), host_calls.itself)(x, arrays, found) for x in self.sources]
        values = host_calls.outputs_of(self.run(*arguments), len(self.outputs))
        found.update((name, value) for (name, _), value in zip(self.outputs, values, strict=True))
        return True

    patch.setattr(host_calls.HostCall, "__call__", call)


def nothing_is_restored(patch):
    patch.setattr(journal.Journal, "restore", lambda self, noted, done: True)


def outputs_are_differentiated_alone(patch):
    patch.setattr(replay, "grouped", lambda outputs, wanted: [[k] for k in wanted])


def changes_in_place_go_unnoticed(patch):
    patch.setattr(replay.Run, "_values", lambda self, needed: [self.kept[place] for place in needed])


def absent_gradients_are_ones(patch):
    patch.setattr(replay.Run, "arrived_at", lambda self, outputs, there: dict(self.upstream))


BREAKS = {
    guards_always_hold: 18,
    status_flags_go_unnoticed: 187,
    parameters_never_move: 18,
    host_calls_are_not_read: 11,
    nothing_is_restored: 196,
    outputs_are_differentiated_alone: 10,
    changes_in_place_go_unnoticed: 0,
    absent_gradients_are_ones: 10,
}
"""Each with a world that notices it."""


@pytest.mark.parametrize("broken", BREAKS)
def test_a_planted_break_is_noticed(broken, monkeypatch):
    live(BREAKS[broken])
    broken(monkeypatch)
    with pytest.raises(Difference):
        for seed in (BREAKS[broken], *range(40)):  # in one world, what lies in freed memory may hide it
            live(seed)
