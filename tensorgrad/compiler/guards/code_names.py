"""The names that code uses: globals, attributes and modules, found in its instructions."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterable
from typing import NamedTuple


class Names(NamedTuple):
    """The names that code uses, without those of the functions that it defines."""

    globals: frozenset[str]
    attributes: frozenset[str]
    modules: frozenset[str]


@functools.lru_cache(4096)
def names_in(code: types.CodeType) -> Names:
    """The names that code uses."""
    found: dict[str, set[str]] = {"globals": set(), "attributes": set(), "modules": set()}
    for instruction in dis.get_instructions(code):
        if (kind := _kind_of_name(instruction.opname)) is not None:
            found[kind].add(instruction.argval)
    # `case Point(x=0)` keeps its names in a tuple.
    texts = {text for value in code.co_consts if type(value) is tuple for text in value if type(text) is str}
    return Names(frozenset(found["globals"]), frozenset(found["attributes"] | texts), frozenset(found["modules"]))


def codes_in(code: types.CodeType) -> Iterable[types.CodeType]:
    """The code, and the code of the functions that it defines."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_in(constant)


def _kind_of_name(opname: str) -> str | None:
    if opname == "IMPORT_NAME":
        return "modules"
    if opname.endswith(("_GLOBAL", "_NAME")):
        return "globals"
    return "attributes" if opname.endswith(("_ATTR", "_METHOD")) or opname == "IMPORT_FROM" else None
