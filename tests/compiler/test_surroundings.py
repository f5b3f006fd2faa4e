"""What is watched while a function is recorded, and what isn't."""

from typing import Generic, TypeVar

import numba
import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.compiler.guards.guards import Guards
from tensorgrad.compiler.guards.surroundings import Surroundings


def callee(x):
    return x + 1


def ran_around(compile_it):
    """The code that was seen to run: `callee`, between two calls of what is compiled."""
    with Surroundings(Guards(callee)) as surroundings:
        compile_it()
        callee(1)
    return surroundings.ran


def of_compiler(ran):
    return {code for code in ran if "/numba/core/" in code.co_filename.replace("\\", "/")}


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_the_compiler_runs_without_the_profiler():
    kernel = numba.njit(lambda x: x * 2)
    ran = ran_around(lambda: kernel(np.float64(1)))
    # A few functions of numba's run before its lock is taken; the compiler itself has about a thousand.
    assert len(of_compiler(ran)) < 100
    assert callee.__code__ in ran, "the profiler goes on after the compiler"


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_the_profiler_goes_on_after_a_function_that_cannot_be_compiled():
    kernel = numba.njit(lambda x: x.nothing)

    def fails():
        with pytest.raises(numba.TypingError):
            kernel(np.float64(1))

    assert callee.__code__ in ran_around(fails)


def test_objects_of_generic_classes_are_followed():
    number = TypeVar("number")

    class Scaling(Generic[number]):
        def __init__(self, factor: number) -> None:
            self.factor = factor

    scaling, x = Scaling(2.0), tg.ones(3)
    compiled = tg.compile(lambda x: (x * scaling.factor).exp())
    for _ in range(3):
        compiled(x)
    assert compiled.replays
    scaling.factor = 3.0
    np.testing.assert_allclose(compiled(x).numpy(), np.exp(np.float32(3)) * np.ones(3), rtol=1e-6)
