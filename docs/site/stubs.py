"""The public names as one plain Python package, for mkdocstrings: signatures and docstrings as they are at run time.

Functions of ops are made by their classes, layers get docstrings from a base, and names of modules are also names of
functions (`tensorgrad.viz.graph`): a reader of the sources would have to run them. So we run them, and write down what
users see. A docstring's examples become code blocks, and other names of the object are added at its end.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from public import PACKAGE, Name, Page

INDENT = " " * 4


def write(pages: list[Page], folder: Path) -> None:
    """Write the package into a folder: a file for each public module."""
    homes = {id(name.value): name.path for page in pages for name in page.names}
    files: dict[Path, list[str]] = {}
    for page in pages:
        place = folder.joinpath(PACKAGE, *filter(None, page.module.split(".")))
        for path in (place, *place.parents):
            if path.is_relative_to(folder / PACKAGE):
                files.setdefault(path / "__init__.py", [])
        files[place / "__init__.py"] += [_stub(name, homes) for name in page.names if is_described(name)]
    for path, stubs in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(stubs), encoding="utf-8")


def is_described(name: Name) -> bool:
    """Whether an object is a function or class of the package; others are constants, in a table."""
    value = name.value
    return (inspect.isclass(value) or inspect.isroutine(value)) and value.__module__.startswith(PACKAGE)


def _stub(name: Name, homes: dict[int, str]) -> str:
    key = name.path.rpartition(".")[2]
    others = ", ".join(f"`{other}`" for other in name.others)
    also = f"\n\nAlso: {others}." if others else ""
    if inspect.isclass(name.value):
        return _class(key, name.value, also, homes)
    return _function(key, name.value, also)


def _function(key: str, value: Any, also: str = "", decorator: str = "") -> str:
    lines = [f"def {key}{_signature(value)}:", _docstring(inspect.getdoc(value) or "", also)]
    return "\n".join(filter(None, [decorator, *lines]))


def _class(key: str, value: type, also: str, homes: dict[int, str]) -> str:
    same = [member for member, found in _members(value) if id(found) in homes]
    if same:
        links = ", ".join(f"[`{member}`][{homes[id(getattr(value, member))]}]" for member in sorted(same))
        also += f"\n\nFunctions that are methods, too, with the tensor as first argument: {links}."
    head = [f"class {key}:", _docstring(_own_doc(value), also)]
    made = _function("__init__", _Constructor(value)) if value.__init__ is not object.__init__ else ""
    members = [_member(member, found) for member, found in _members(value) if id(found) not in homes]
    body = [part.replace("\n", "\n" + INDENT) for part in (made, *members) if part]
    return "\n".join(head) + "".join(f"\n\n{INDENT}{part}" for part in body)


def _members(value: type) -> Iterator[tuple[str, Any]]:
    """The documented public members that a class defines, or gets from a base that isn't public by itself."""
    bases = [base for base in value.__mro__ if base.__module__.startswith(f"{PACKAGE}.")]
    told = [base for base in bases[1:] if not base.__name__.startswith("_") and value.__name__ != "Tensor"]
    inherited = {key for base in told for key in vars(base)}
    for key in sorted({key for base in bases for key in vars(base)}):
        own = key in vars(value) and getattr(vars(value)[key], "__doc__", None)
        if not key.startswith("_") and (own or key not in inherited):
            found = inspect.getattr_static(value, key)
            plain = found if isinstance(found, property) else getattr(value, key, None)
            is_method = isinstance(found, property | classmethod | staticmethod) or inspect.isroutine(plain)
            if is_method and inspect.getdoc(plain):
                yield key, plain


def _member(key: str, value: Any) -> str:
    if isinstance(value, property):
        return "\n".join(["@property", f"def {key}(self):", _docstring(inspect.getdoc(value) or "")])
    return _function(key, value)


class _Constructor:
    """A class as a function without documentation: what is said of its arguments stands in the class's docstring."""

    __doc__ = None

    def __init__(self, made: type) -> None:
        try:
            own = inspect.signature(made)
        except (TypeError, ValueError):
            own = inspect.Signature()
        me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = [value for key, value in own.parameters.items() if key != "self"]
        positional = [p for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY]
        me = me.replace(kind=inspect.Parameter.POSITIONAL_ONLY) if positional else me
        self.__signature__ = inspect.Signature([me, *parameters])

    def __call__(self) -> None:
        """Never called."""


def _signature(value: Any) -> str:
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "(*arguments)"
    parameters = [
        p.replace(annotation=_annotation(p.annotation), default=_default(p)) for p in found.parameters.values()
    ]
    return str(found.replace(parameters=parameters, return_annotation=_annotation(found.return_annotation)))


class _Text(str):
    """Text that a signature shows as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _annotation(value: Any) -> Any:
    """An annotation in short: without modules, and none for Any, which says nothing."""
    if value in (inspect.Signature.empty, "Any", Any):
        return inspect.Signature.empty
    text = value if isinstance(value, str) else inspect.formatannotation(value)
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", text)
    return _Text(text) if _is_expression(text) else inspect.Signature.empty


def _default(parameter: inspect.Parameter) -> Any:
    if parameter.default is inspect.Parameter.empty:
        return parameter.default
    text = getattr(parameter.default, "__name__", None) or repr(parameter.default)
    return _Text(text if _is_expression(text) else "...")


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _own_doc(value: type) -> str:
    return inspect.cleandoc(value.__dict__.get("__doc__") or inspect.getdoc(value) or "")


def _docstring(text: str, also: str = "") -> str:
    """A docstring's statement: examples fenced, so that they stand as code where Markdown is read."""
    fenced = re.sub(r"^((?:>>>|\.\.\.).*(?:\n(?!\s*$).*)*)", _fenced, text, flags=re.MULTILINE)
    content = (fenced + also).strip()
    return INDENT + repr(content) if content else f"{INDENT}..."


def _fenced(found: re.Match[str]) -> str:
    return f"```pycon\n{found[1]}\n```"
