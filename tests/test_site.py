"""The site's API reference: each public name has an entry, as it is at run time; `make docs` checks the built pages."""

import ast
import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tensorgrad.nn import Module

ROOT = Path(__file__).parent.parent
SITE = ROOT / "docs" / "site"

# Every module whose names users import; those without `__all__` list what they import from the package.
LISTED = ["", "nn", "viz", "linalg", "special", "nn.data", "nn.optim", "nn.utils", "distributions", "autograd", "cuda",
          "nn.optim.lr_scheduler", "utils.checkpoint"]  # fmt: skip
COLLECTED = ["nn.functional", "optim", "optim.lr_scheduler", "utils.data", "vision.models",
             "vision.datasets", "vision.transforms", "func"]  # fmt: skip


OWN = ["nn.init", "nn.utils.rnn", "amp"]
"""Modules that list nothing: what they define is public."""


@pytest.fixture(scope="module")
def site():
    """The site's modules, which import each other by their plain names, as mkdocs runs them."""
    sys.path.insert(0, str(SITE))
    try:
        yield importlib.import_module("public"), importlib.import_module("stubs")
    finally:
        sys.path.remove(str(SITE))


@pytest.fixture(scope="module")
def pages(site):
    return site[0].pages()


def public_names(name):
    """The names of a module that a user may import; modules have pages of their own."""
    module = importlib.import_module(f"tensorgrad.{name}".rstrip("."))
    if name in LISTED:
        names = [key for key in module.__all__ if not isinstance(getattr(module, key), ModuleType)]
    else:
        names = [key for key in dir(module) if key[0] != "_" and is_ours(getattr(module, key))]
        names = [key for key in names if name in COLLECTED or getattr(module, key).__module__ == module.__name__]
    return {f"{module.__name__}.{key}" for key in names}


def is_ours(value):
    return callable(value) and (getattr(value, "__module__", None) or "").startswith("tensorgrad.")


@pytest.mark.parametrize("module", [*LISTED, *COLLECTED, *OWN], ids=lambda name: name or "tensorgrad")
def test_each_public_name_has_its_entry(pages, module):
    described = [path for page in pages for name in page.names for path in (name.path, *name.others)]
    assert public_names(module) - set(described) == set()
    assert len(described) == len(set(described)) > 900


def test_the_page_of_other_layers_holds_layers_alone(pages):
    titles = {name.path.rpartition(".")[2]: page.title for page in pages for name in page.names if page.module == "nn"}
    assert titles["accuracy"] == titles["DistributedDataParallel"] == titles["fit"] == "Training"
    (other,) = [page for page in pages if page.title == "Linear, normalization and other layers"]
    assert all(issubclass(name.value, Module) for name in other.names)
    assert {"Linear", "LayerNorm", "Flatten"} <= {name.value.__name__ for name in other.names}


def test_no_public_module_is_left_out(site):
    public = site[0]
    listed = {
        f"{outer}.{name}".lstrip(".")
        for outer in ("", "nn")
        for name in public.load(outer).__all__
        if isinstance(getattr(public.load(outer), name), ModuleType)
    }
    assert len(listed) > 12 and listed - set(public.modules()) == set(public.HIDDEN)


def test_entries_are_the_signatures_and_docstrings_of_what_runs(site, pages, tmp_path):
    stubs = site[1]
    stubs.write(pages, tmp_path)
    trees = {}
    for page in pages:
        folder = tmp_path.joinpath("tensorgrad", *filter(None, page.module.split(".")))
        trees[page.module] = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    compared = 0
    for page in pages:
        entries = {node.name: node for node in trees[page.module].body}
        for name in filter(stubs.is_described, page.names):
            node = entries[name.path.rpartition(".")[2]]
            text = ast.get_docstring(node) or ""
            assert inspect.getdoc(name.value).splitlines()[0] in text, name.path
            assert all(f"`{other}`" in text for other in name.others), name.path
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                starred = [found.arg for found in (node.args.vararg, node.args.kwarg) if found]
                found = {argument.arg for argument in arguments} | set(starred)
                assert found == set(inspect.signature(name.value).parameters), name.path
                compared += 1
    assert compared > 400


def test_examples_are_fenced_and_methods_of_tensor_lead_to_their_functions(site, pages, tmp_path):
    site[1].write(pages, tmp_path)
    (tensor,) = [
        node
        for node in ast.parse((tmp_path / "tensorgrad" / "__init__.py").read_text(encoding="utf-8")).body
        if getattr(node, "name", "") == "Tensor"
    ]
    text = ast.get_docstring(tensor)
    assert "[`relu`][tensorgrad.relu]" in text and "[`conv2d`]" not in text
    assert "```pycon\n>>> import tensorgrad as tg" in text and text.count("```") % 2 == 0
    methods = {node.name for node in tensor.body if isinstance(node, ast.FunctionDef)}
    assert {"backward", "numpy", "detach"} <= methods and "relu" not in methods
