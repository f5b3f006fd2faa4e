import numba
import numpy as np
import pytest
from machine_code import assert_vectorised, llvm

from tensorgrad.errors import DTypeError
from tensorgrad.formulas.expression import Symbol
from tensorgrad.formulas.loops import LOOPS, Loop
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import loops
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.fingerprint import identity
from tensorgrad.kernels.simd import functions
from tensorgrad.ops.elementwise.elementwise import Elementwise

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SHAPES = pytest.mark.parametrize("shape", [(), (1,), (0, 4), (2, 3, 17), (64, 33, 7, 9)], ids=str)
FUNCTIONS = pytest.mark.parametrize("function", [name for name in LOOPS if f"{name} gradient" in LOOPS])
FORMULAS = {*functions.FUNCTIONS, "sigmoid", "gelu", "power"}
ALPHA = 0.3  # a parameter, for those that have one


def parameters_of(loop, dtype):
    """Values for a loop's parameters; a loop without any is given one that it doesn't read."""
    return tuple(dtype(ALPHA) for _ in loop.parameters or "-")


def evaluate(name, *arrays):
    return loops.compute(name, *arrays, parameters=(ALPHA,) * len(LOOPS[name]().parameters))


def reference_of(name, *arrays):
    """The loop's formula in NumPy, or where a loop only calls a function of its own, NumPy's function."""
    loop = LOOPS[name]()
    return fallback.loop(loop, arrays, tuple(np.float64(ALPHA) for _ in loop.parameters or "-"))


def draw(shape, dtype, seed=0, scale=3.0):
    return np.asarray(np.random.default_rng(seed).normal(scale=scale, size=shape), dtype)


def both(function, x, g):
    """Value and gradient by kernel, and by reference in float64."""
    z, dx = evaluate(function, x), evaluate(f"{function} gradient", g, x)
    x, g = x.astype(np.float64), g.astype(np.float64)
    with np.errstate(all="ignore"):
        expected = reference_of(function, x), reference_of(f"{function} gradient", g, x)
    return (z, dx), expected


@FLOATS
@SHAPES
@FUNCTIONS
def test_values_and_gradients_are_those_of_their_twins(function, shape, dtype):
    for ours, expected in zip(*both(function, draw(shape, dtype), draw(shape, dtype, 1)), strict=True):
        assert (ours.shape, ours.dtype) == (shape, dtype)
        np.testing.assert_allclose(ours, expected, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


@FLOATS
@FUNCTIONS
def test_near_zero_no_digits_are_lost(function, dtype):
    if function == "tanhshrink":
        pytest.skip("x − tanh x, a difference of nearly equal numbers, as PyTorch computes it")
    x = np.geomspace(1e-30, 1e-2, 500).astype(dtype)
    x = np.concatenate([-x, x])
    (z, _), (expected, _) = both(function, x, x)
    np.testing.assert_allclose(z, expected, rtol=10 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)


@FLOATS
@FUNCTIONS
def test_what_is_not_finite_or_extreme_comes_out_as_of_the_twin(function, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e4, -1e4, 80, -80, *draw(8, dtype)], dtype)
    for ours, expected in zip(*both(function, x, draw(x.shape, dtype, 1)), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-30)


@FUNCTIONS
def test_any_layout_and_no_mixture_of_dtypes(function):
    x, g = draw((6, 8, 10), np.float64), draw((3, 8, 10), np.float64, 1)
    for layout in (x[::-2], np.asfortranarray(x[:3]), x[:3].astype(">f8")):
        for ours, expected in zip(*both(function, layout, g), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(DTypeError, match="float32 or float64"):
        evaluate(f"{function} gradient", g, g.astype(np.float32))


@FLOATS
@FUNCTIONS
def test_in_parallel_and_number_by_number_the_bits_are_the_same(function, dtype):
    x, g = draw((5, 201), dtype), draw((5, 201), dtype, 1)
    calls = (
        lambda part=...: evaluate(function, x[part]),
        lambda part=...: evaluate(f"{function} gradient", g[part], x[part]),
    )
    for compute in calls:
        with dispatch.every_variant():
            np.testing.assert_array_equal(compute(), compute())
            parallel = compute()
        np.testing.assert_array_equal(parallel, compute())
        single = [compute(np.s_[:, k : k + 1]) for k in range(201)]
        np.testing.assert_array_equal(np.concatenate(single, axis=1), parallel)


@FLOATS
@FUNCTIONS
def test_both_passes_are_vectorised(function, dtype):
    x, (values, gradient) = draw((3,), dtype), (LOOPS[name]() for name in (function, f"{function} gradient"))
    assert_vectorised(loops.kernel_of(values), x, x, parameters_of(values, dtype), 0, 1)
    assert_vectorised(loops.kernel_of(gradient), x, x, x, parameters_of(gradient, dtype), 0, 1)


def test_comparing_vectors_does_not_excuse_multiplying_numbers():
    @numba.njit(**dispatch.OPTIONS)
    def powers_and_signs(x, z, signs):
        for i in range(1, len(x)):
            z[i] = z[i - 1] * x[i]
        for i in range(len(x)):
            signs[i] = x[i] > 0

    with pytest.raises(AssertionError, match=r"of single numbers .*fmul"):
        assert_vectorised(powers_and_signs, np.ones(9), np.ones(9), np.ones(9))


@pytest.mark.parametrize("name", LOOPS)
def test_a_number_in_a_formula_never_widens_float32(name):
    loop = LOOPS[name]()
    x = np.full(3, 0.5, np.float32)
    arrays = [x.copy() for _ in range(len(loop.arrays) + 1)]
    code = llvm(loops.kernel_of(loop), *arrays, parameters_of(loop, np.float32), 0, 1)
    assert "fpext" not in code and any(op in code for op in ("fmul", "fdiv", "fcmp"))


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_every_function_of_formulas_compiles(name):
    """Within another formula, in float32, against NumPy's function in float64: near 0 and far, NaN carried, ±0 kept."""
    op = next(op for op in Elementwise.__subclasses__() if op.name == name)
    count = len(op.inputs) - (name == "where")
    symbols = [Symbol(letter) for letter in "xy"[:count]]
    operands = [symbols[0] > 0.5, *symbols] if name == "where" else symbols
    loop = Loop(f"twice {name}", 2 * op.call(*operands), tuple("xy"[:count]), ())
    x = np.array([0.0, -0.0, 1e-6, -1e-6, 0.3, -0.3, 0.9, 1.5, -1.5, 5, 80, -80, np.nan, np.inf, -np.inf], np.float32)
    arrays = [x, x[::-1].copy()][:count]
    out = np.empty_like(x)
    loops.kernel_of(loop)(*arrays, out, (np.float32(0),), 0, 1)
    with np.errstate(all="ignore"):
        expected = fallback.loop(loop, [a.astype(np.float64) for a in arrays], (0,)).astype(np.float32)
    np.testing.assert_allclose(out, expected, rtol=4e-6, atol=1e-37)


def test_kernels_are_told_apart_by_their_formulas():
    x, y = Symbol("x"), Symbol("y")
    made = [Loop("f", meaning, ("x", "y"), ()) for meaning in (x * y, x * y + 1, x * y + 2, x + y)]
    identities = {identity(loops.kernel_of(loop)) for loop in made}
    assert len(identities) == 4
    again = Loop("g", Symbol("x") * Symbol("y"), ("x", "y"), ())
    assert identity(loops.kernel_of(again)) in identities
