"""no_grad, enable_grad and their kin: nested, as decorators, per thread."""

import threading

import pytest
from leaves import leaf

import tensorgrad as tg
from tensorgrad.autograd import modes


def test_no_grad_nests_decorates_and_survives_exceptions():
    x = leaf(2)

    @tg.no_grad()
    def plain():
        assert not tg.is_grad_enabled()
        with tg.enable_grad():
            assert (x * 2.0).requires_grad
        return x * 2.0

    assert not plain().requires_grad
    assert tg.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert tg.is_grad_enabled()


def test_no_grad_is_thread_local():
    seen = []
    inside, go = threading.Event(), threading.Event()

    def other():
        inside.wait(10)
        seen.append(tg.is_grad_enabled())
        go.set()

    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        inside.set()
        go.wait(10)
    thread.join()
    assert seen == [True]


def test_each_thread_keeps_its_mode_while_others_change_theirs():
    """The engine counts the blocks of all threads; what holds in a block holds in its own thread alone."""
    inside, leave = threading.Event(), threading.Event()
    found = []

    def other():
        with tg.no_grad(), modes.observe(tg.Observer()):
            inside.set()
            leave.wait(60)
            found.append((x * x).requires_grad)
        found.append((x * x).requires_grad)

    x = tg.ones(2, requires_grad=True)
    before = modes.blocks, modes.watched
    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(60)
    found.append((x * x).requires_grad)
    with tg.no_grad():
        found.append((x * x).requires_grad)
    leave.set()
    thread.join()
    assert found == [True, False, False, True]
    with pytest.raises(ZeroDivisionError), tg.no_grad(), modes.observe(tg.Observer()):
        _ = 1 / 0
    assert (modes.blocks, modes.watched) == before


def test_modes_decorate_without_parentheses_too():
    @tg.no_grad
    def plain():
        return tg.is_grad_enabled()

    @tg.no_grad
    def steps():
        yield tg.is_grad_enabled()
        yield tg.is_grad_enabled()

    @tg.enable_grad
    def again():
        return tg.is_grad_enabled()

    with tg.no_grad():
        assert again()
    assert not plain() and list(steps()) == [False, False] and tg.is_grad_enabled()
    for mode in (tg.no_grad, tg.enable_grad):
        with pytest.raises(tg.ArgumentError, match="set_grad_enabled"):
            mode(True)
    assert tg.is_grad_enabled()


def test_a_decorated_class_makes_its_objects_in_the_mode():
    class Probe:
        """What it found."""

        def __init__(self, factor):
            self.factor, self.recorded = factor, tg.is_grad_enabled()

    make = tg.inference_mode(Probe)
    found = make(factor=3)
    assert type(found) is Probe and (found.factor, found.recorded) == (3, False)
    assert (make.__name__, make.__doc__) == ("Probe", "What it found.") and tg.is_grad_enabled()
    # A metaclass keeps attributes that functions have as descriptors: copied one by one they would be refused.
    assert tg.inference_mode(type)(found) is Probe


def test_autograd_has_the_modes():
    for name in ("no_grad", "enable_grad", "set_grad_enabled", "inference_mode"):
        assert getattr(tg.autograd, name) is getattr(tg, name)
