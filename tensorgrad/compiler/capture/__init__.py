"""Graph capture: the kernel launches of a program as a command list, replayed by one call in fixed memory.

What a step does around its kernels (checks, plans, buffers, arguments) is the same in each replay of a program, since
the sizes are. So it is done once, and the packed arguments of each launch are kept: a command list. That is sound
because a step is captured on arrays whose numbers can't be read (`kernels.jit.opaque`). It can pass its kernels nothing
but parameters, constants, fixed memory that earlier launches have filled, and numbers that follow from sizes. A step
that reads numbers or computes with NumPy raises there, and becomes a host call: Python makes it in each replay, between
two command lists.
"""

from tensorgrad.compiler.capture.captured import Captured
from tensorgrad.compiler.capture.graph_capture import TRIES, GraphCapture, NotReplayed
from tensorgrad.compiler.capture.host_calls import HostCall

__all__ = ["TRIES", "Captured", "GraphCapture", "HostCall", "NotReplayed"]
