"""One file per library: how it does what a case asks for.

Each has `version()` and `prepare(case)`, which returns a function of no arguments to be timed. It does all of the work
before it returns: a library that computes later waits for the result. A training step returns its loss, so that the
run can tell whether all libraries do the same. What a library can't do raises `Unsupported`.
"""

NAMES = {
    "tensorgrad": "tensorgrad",
    "pytorch": "PyTorch",
    "pytorch_compiled": "PyTorch compiled",
    "jax_jit": "JAX jit",
    "tinygrad_jit": "tinygrad",
    "mygrad_eager": "MyGrad",
}
"""Module: the name in the tables. The first is measured against the second, the others stand beside."""


class Unsupported(Exception):
    """This library can't do this case; the message says why."""
