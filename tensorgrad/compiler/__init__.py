"""Compiled functions: what a function does to tensors is recorded op by op, and replayed without the engine."""

from tensorgrad.compiler.compiled import CompiledFunction, compile

__all__ = ["CompiledFunction", "compile"]
