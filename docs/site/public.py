"""The public names of tensorgrad: which there are, where each is described, and what else it is called."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

PACKAGE = "tensorgrad"

FIRST = (
    "", "nn.functional", "nn", "nn.init", "optim", "optim.lr_scheduler", "optim.swa_utils", "utils.data", "nn.data",
)  # fmt: skip
"""The modules that describe a name which several have, best first; then all others."""

MORE = (
    "nn.functional", "nn.init", "nn.utils.rnn", "optim", "optim.lr_scheduler", "optim.swa_utils", "autograd", "utils",
    "vision", "vision.transforms.functional",
)  # fmt: skip
"""Public modules that no other public module lists in `__all__`."""

HIDDEN = ("storage", "transforms", "compiler")
"""Modules whose names stand, under the same names, in `tensorgrad` itself."""

FAMILIES = {
    "": {
        "Tensor": ("tensor",),
        "Making tensors": ("creation", "interop", "ops.sampling.filled", "ops.operands"),
        "Arithmetic and comparison": tuple(
            f"ops.elementwise.{name}"
            for name in ("arithmetic", "comparison", "closeness", "choice", "rounding", "floating")
        ),
        "Elementwise functions": ("ops.elementwise",),
        "Reductions and statistics": ("ops.reduc", "ops.statistics", "ops.ordering.quantiles"),
        "Sorting and searching": ("ops.ordering",),
        "Shapes and joining": ("ops.shapes", "ops.layout", "ops.joining"),
        "Indexing and selecting": ("ops.indexing", "ops.selection"),
        "Products and linear algebra": ("ops.linalg", "ops.linear", "ops.products"),
        "Convolution, pooling, normalization": ("ops",),
        "Random numbers": ("ops.sampling", "arrays.random"),
        "Gradients and compiling": ("transforms", "autograd", "compiler", "func"),
        "Saving and loading": ("storage",),
        "Settings, dtypes and errors": ("",),
    },
    "nn.functional": {
        "Losses": ("nn.losses",),
        "More activations": ("ops.elementwise", "tensor.inplace", "ops.layers.gates"),
        "Images, attention and more": ("",),
    },
    "nn": {
        "Convolution and pooling": ("nn.layers.convolution", "nn.layers.pooling", "nn.layers.images"),
        "Activations": ("nn.layers.activations", "nn.layers.nonlinear"),
        "Losses": ("nn.losses",),
        "Modules, containers and state": ("nn.module", "nn.parameter", "nn.state", "nn.summary", "nn.layers.containers",
                                          "nn.layers.parameter_containers"),
        "Training": ("nn.training", "nn.metrics", "nn.parallel"),
        "Sequences": ("nn.layers.sequences",),
        "Linear, normalization and other layers": ("nn.layers",),
    },
}  # fmt: skip
"""The pages of large modules, each with the modules in which its names are defined; the longest prefix decides."""


@dataclass
class Name:
    """A public object under the name by which it is described."""

    path: str
    value: Any
    others: list[str] = field(default_factory=list)


@dataclass
class Page:
    """A page of the reference: the names of one module, or of one family of a large one."""

    module: str
    title: str
    names: list[Name] = field(default_factory=list)

    @property
    def uri(self) -> str:
        """The page's file in the site's sources."""
        if self.module not in FAMILIES:
            return f"reference/{self.module}.md"
        words = "".join(letter if letter.isalnum() else " " for letter in self.title.lower()).split()
        return f"reference/{self.module or PACKAGE}/{'-'.join(words)}.md"


def modules() -> list[str]:
    """The public modules, without the leading `tensorgrad.`: those of `__all__`, their own, and MORE."""
    found, queue = [], ["", *MORE]
    while queue:
        name = queue.pop(0)
        if name in found or name in HIDDEN:
            continue
        found.append(name)
        module = load(name)
        prefix = f"{name}." if name else ""
        queue += [prefix + key for key in names(module) if _is_part(module, key)]
    rank = {name: place for place, name in enumerate(FIRST)}
    return sorted(found, key=lambda name: (rank.get(name, len(rank)), name))


def load(name: str) -> ModuleType:
    """The public module of a name."""
    return importlib.import_module(f"{PACKAGE}.{name}".rstrip("."))


def names(module: ModuleType) -> list[str]:
    """The public names of a module: `__all__`, or else what it defines, or else what it imports from the package."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    plain = {key: value for key, value in vars(module).items() if not key.startswith("_")}
    plain |= {key: getattr(module, key) for key in vars(module).get("_LAZY", ())}
    own = [key for key, value in plain.items() if _is_ours(value) and value.__module__ == module.__name__]
    if own and not hasattr(module, "__path__"):
        return own
    ours = [key for key, value in plain.items() if _is_ours(value)]
    return ours or [key for key in plain if _is_part(module, key)]


def pages() -> list[Page]:
    """All pages. Each public object but modules is on one of them, once."""
    described: dict[int, Name] = {}
    found: dict[tuple[str, str], Page] = {}
    for module in modules():
        for key in names(load(module)):
            value = getattr(load(module), key)
            if isinstance(value, ModuleType):
                continue
            path = ".".join(filter(None, (PACKAGE, module, key)))
            if id(value) in described and _has_documentation(value):
                described[id(value)].others.append(path)
                continue
            name = described[id(value)] = Name(path, value)
            title = _title(module, value)
            found.setdefault((module, title), Page(module, title)).names.append(name)
    return [page for module in modules() for page in _in_order(module, found)]


def _in_order(module: str, found: dict[tuple[str, str], Page]) -> Iterator[Page]:
    for title in FAMILIES.get(module, {module: ()}):
        if page := found.get((module, title)):
            page.names.sort(key=lambda name: name.path.lower())
            yield page


def _title(module: str, value: Any) -> str:
    if module not in FAMILIES:
        return module
    defined = f"{getattr(value, '__module__', None) or ''}.".removeprefix(f"{PACKAGE}.")
    fits = [
        (len(prefix), title)
        for title, prefixes in FAMILIES[module].items()
        for prefix in prefixes
        if defined.startswith(prefix)
    ]
    return max(fits)[1]


def _is_ours(value: Any) -> bool:
    other = isinstance(value, ModuleType | TypeVar)
    return not other and (getattr(value, "__module__", None) or "").startswith(f"{PACKAGE}.")


def _is_part(module: ModuleType, key: str) -> bool:
    """Whether a name is that of a module which the module lists in `__all__`, or has and says nothing else."""
    value = getattr(module, key, None)
    inside = isinstance(value, ModuleType) and value.__name__.startswith(f"{PACKAGE}.")
    return inside and (hasattr(module, "__all__") or value.__name__ == f"{module.__name__}.{key}")


def _has_documentation(value: Any) -> bool:
    """Whether a value is a function or a class. Constants don't count: two equal ones may be the same object."""
    return callable(value)
