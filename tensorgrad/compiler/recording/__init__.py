"""Records a call: an observer writes down, step by step, what a function does to arrays."""

from tensorgrad.compiler.recording.recording import HELPERS, Recording

__all__ = ["HELPERS", "Recording"]
