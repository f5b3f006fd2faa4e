"""A process that compiles kernels or loads them, for the tests of the cache: what to do comes as JSON on its input.

`many_processes.py compile` runs each of the `calls` once, so that its code is in the cache afterwards; `check` runs
each in every way in which kernels are run; `fork` compiles each list of calls in `processes` in a forked child, and
then checks. Each result is held to a reference; the output is the list of those that are wrong.

The kernels are the activation functions of the package, and closures of a factory made to be mistaken for each other:
one name, one line, one type of arguments, and helpers with the same in common.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from tensorgrad.formulas.loops import LOOPS
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import loops
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.command_list import CommandList, Recorder
from tensorgrad.kernels.jit.dispatch import kernel
from tensorgrad.kernels.jit.opaque import Opaque
from tensorgrad.kernels.jit.trampolines import call


@intrinsic
def apart(typing):
    """Keep the function that calls this from being inlined, so that it has a symbol in the code of its callers."""

    def emit(context, builder, signature, values):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), emit


def power(number: int) -> Callable:
    """A helper, x to the power `number`."""

    @kernel
    def powers(x):
        apart()
        z = x
        for _ in range(number - 1):
            z *= x
        return z

    return powers


def shifted(helper: Callable) -> Callable:
    """A kernel z = helper(x) + parameter, whose closures differ in the helper alone."""

    @kernel
    def share(x, z, parameter, index, chunks):
        for k in range(x.size * index // chunks, x.size * (index + 1) // chunks):
            z[k] = helper(x[k]) + parameter

    return share


POWERS = {f"power {number}": (shifted(power(number)), number) for number in (1, 2, 3)}


@kernel
def relay(address, arguments, index, chunks):
    """A kernel that runs another, of which it knows the address alone."""
    call(address, arguments, index, chunks)


class Kernel(NamedTuple):
    """A compiled function (x, z, parameter, index, pieces) or (g, y, z, …), its arguments, and what it must give."""

    kernel: Callable
    arguments: tuple
    expected: np.ndarray


def kernel(name: str, dtype: str, rng: np.random.Generator) -> Kernel:
    """Such as "tanh", "tanh gradient" or "waves 0.2"."""
    x, g = rng.standard_normal((2, 37)).astype(dtype)
    out, parameter = np.empty_like(x), x.dtype.type(0.5)
    if name in POWERS:
        share, number = POWERS[name]
        return Kernel(share, (x, out, parameter), x**number + parameter)
    loop = LOOPS[name]()
    arrays = (g, x)[-len(loop.arrays) :]
    expected = fallback.loop(loop, arrays, (parameter,))
    return Kernel(loops.kernel_of(loop), (*arrays, out, (parameter,)), expected)


def serial(share: Callable, arguments: tuple) -> None:
    dispatch.run(share, arguments, 1)


def parallel(share: Callable, arguments: tuple) -> None:
    dispatch.run(share, arguments, 2)


def by_address(share: Callable, arguments: tuple) -> None:
    relay(dispatch.address_of(share, arguments), arguments, 0, 1)


def captured(share: Callable, arguments: tuple) -> None:
    with dispatch.recorded(Recorder()) as recorder:
        parallel(share, tuple(Opaque(x) if isinstance(x, np.ndarray) else x for x in arguments))
    launches = CommandList(recorder.launches, [])
    arguments[-2][:] = np.nan
    assert launches.play(np.zeros(0, np.int64))


WAYS = (serial, parallel, by_address, captured)


def wrong(call: list[str], way: Callable, rng: np.random.Generator) -> list[str]:
    """The kernel and the way in which it was run, where the result isn't the reference's."""
    found = kernel(*call, rng)
    out = found.arguments[-2]
    out[:] = np.nan
    way(found.kernel, found.arguments)
    tolerance = 1e-11 if out.dtype == np.float64 else 4e-6
    close = np.allclose(out, found.expected, rtol=tolerance, atol=tolerance)
    return [] if close else [f"{' '.join(call)}, {way.__name__}"]


def faults(calls: list[list[str]], ways: tuple[Callable, ...], seed: int = 0) -> list[str]:
    """Run each kernel in each way, in a random order."""
    rng = np.random.default_rng(seed)
    return [fault for way in ways for each in rng.permutation(calls).tolist() for fault in wrong(each, way, rng)]


def in_children(processes: list[list[list[str]]]) -> None:
    """Compile each list in a forked child, one after the other."""
    for calls in processes:
        pid = os.fork()
        if pid == 0:
            os._exit(len(faults(calls, WAYS[:1])))
        assert os.waitpid(pid, 0)[1] == 0


if __name__ == "__main__":
    work, task = sys.argv[1], json.load(sys.stdin)
    if work == "fork":
        in_children(task["processes"])
    print(json.dumps(faults(task["calls"], WAYS[:1] if work == "compile" else WAYS, task.get("seed", 0))))
