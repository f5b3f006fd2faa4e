"""A counter of the changes, other than of values, that may invalidate a recording of ops.

A compiled function remembers the number of its recording; while it is the same, the guards of attributes hold.
"""

_configuration = 0


def current() -> int:
    """The number of changes so far."""
    return _configuration


def reconfigured() -> None:
    """Note that an attribute or the mode of a module has changed, or which leaves require a gradient."""
    global _configuration
    _configuration += 1
