"""What compiled functions keep: bounded together, and freed on request."""

import weakref

import numpy as np
import pytest
from compiling import captures, numbers

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.arrays import memory
from tensorgrad.compiler import compiled
from tensorgrad.compiler.capture import graph_capture

pytestmark = pytest.mark.filterwarnings("error")


def network():
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)).eval()


def kept(functions):
    return sum(captured.nbytes for function in functions for captured in captures(function))


def batch(rows):
    return np.random.default_rng(rows).standard_normal((rows, 32)).astype(np.float32)


def test_captures_are_bounded_together(monkeypatch):
    model = network()
    functions = [tg.compile(model) for _ in range(3)]
    with tg.no_grad():
        for _ in range(4):
            functions[0](batch(100))
        one = kept(functions)
        monkeypatch.setattr(graph_capture, "KEPT", int(5.5 * one))
        for rows in range(100, 120):
            for function in functions:
                for _ in range(4):
                    found = function(batch(rows))
                np.testing.assert_array_equal(numbers(found), numbers(model(tg.tensor(batch(rows)))))
                assert kept(functions) <= 5.5 * one
        assert kept(functions) > 3 * one


def test_the_least_recently_used_goes_first(monkeypatch):
    function = tg.compile(network())
    with tg.no_grad():
        for rows in (100, 101, 102):
            for _ in range(4):
                function(batch(rows))
        first, second, third = captures(function)
        function(batch(100))
        monkeypatch.setattr(graph_capture, "KEPT", first.nbytes + third.nbytes + second.nbytes)
        for _ in range(4):
            function(batch(99))
    assert first in captures(function) and third in captures(function) and second not in captures(function)


def test_kinds_of_calls_least_recently_used_go_first(monkeypatch):
    monkeypatch.setattr(compiled, "PROGRAMS", 3)
    function = tg.compile(lambda x: x * 2)
    for rows in (1, 2, 3):
        for _ in range(3):
            function(batch(rows))
    function(batch(1))
    function(batch(4))
    before = function.replays
    function(batch(1))
    assert function.replays == before + 1
    function(batch(2))
    assert function.replays == before + 1


def test_constants_count(monkeypatch):
    monkeypatch.setattr(compiled, "KEPT", 10_000)
    function = tg.compile(lambda x: (x * np.ones(32, np.float32) + 1.0).sum())
    for rows in range(1, 60):
        for _ in range(3):
            function(batch(rows))
    assert sum(entry.nbytes for entry in function._entries.values()) <= 10_000 + 4096


def test_clear_forgets_everything():
    model = network()
    function = tg.compile(model)
    with tg.no_grad():
        for _ in range(4):
            function(batch(50))
        assert kept([function]) > 0
        replays = function.replays
        function.clear()
        assert kept([function]) == 0 and function.source == ""
        np.testing.assert_array_equal(numbers(function(batch(50))), numbers(model(tg.tensor(batch(50)))))
        function(batch(50))
        assert function.replays == replays
        function(batch(50))
        assert function.replays == replays + 1


def test_a_recorded_call_lets_go_of_what_the_function_does():
    seen = []

    @tg.compile
    def function(x):
        y = x * 2.0
        reference = weakref.ref(y._data)
        z = y + 1.0
        del y
        seen.append(reference() is None)
        return z

    with tg.no_grad():
        for _ in range(2):
            function(batch(40))
    assert function.replays == 0 and seen == [True, True]


def test_a_capture_and_the_steps_never_hold_memory_together(monkeypatch):
    def held():
        return memory.statistics().held_bytes

    most = [0]
    take = memory.Arena.take
    monkeypatch.setattr(memory.Arena, "take", lambda *given: (most.append(max(most.pop(), held())), take(*given))[1])
    model = network()
    function = tg.compile(model)
    with tg.no_grad():
        for _ in range(2):
            function(batch(4000))
        before = held()
        function(batch(4000))  # captured, and run by the capture
        assert len(captures(function)) == 1 and before > 1 << 20
        assert most[0] <= batch(4000).nbytes and held() <= batch(4000).nbytes
