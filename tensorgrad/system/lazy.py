"""Names of a package that are imported at their first use, so that importing the package is fast.

A package states them in a table, the name and where it comes from, and calls `load` from its `__getattr__`. Type
checkers read the imports under `if TYPE_CHECKING:`, which bind the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorgrad.system.forks import imported


def names_of(module: str, *names: str) -> dict[str, str]:
    """Entries of a table for names of one module.

    >>> names_of("math", "pi", "tau")
    {'pi': 'math:pi', 'tau': 'math:tau'}
    """
    return {name: f"{module}:{name}" for name in names}


def load(namespace: dict[str, Any], name: str, sources: Mapping[str, str]) -> Any:
    """Import what a name of the table stands for, and bind it in the package, where Python finds it from then on.

    Args:
        namespace: the `globals()` of the package.
        name: the name that is looked up in the package.
        sources: by name, "package.module" for a module, "package.module:attribute" for what a module holds.

    Raises:
        AttributeError: a name that isn't in the table.

    >>> package = {}
    >>> load(package, "pi", {"pi": "math:pi"}), package
    (3.141592653589793, {'pi': 3.141592653589793})
    """
    if name not in sources:
        raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
    module, _, attribute = sources[name].partition(":")
    value = imported(module)
    if attribute:
        value = getattr(value, attribute)
    namespace[name] = value
    return value
