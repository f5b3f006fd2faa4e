"""The import graph of the package: files and imports of each folder, and every import cycle.

    python tools/import_graph.py [--root DIR] [--arrows]

Counts imports at module level, between files of the same folder ("within") and of other folders ("across"); imports
under `if TYPE_CHECKING` and inside functions are left out, since neither decides the order in which modules load.
Exits with 1 if there is a cycle. `--root` takes another checkout, for example one of an older commit.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGES = {"tensorgrad": "tensorgrad", "nn": "tensorgrad.nn", "viz": "tensorgrad.viz"}
Graph = Mapping[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """The package's modules by name. `tensorgrad/nn` and `tensorgrad/viz` are links to folders listed on their own."""
    found = {}
    for folder, package in PACKAGES.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root / folder).with_suffix("").parts
            if folder != "tensorgrad" or parts[0] not in PACKAGES:
                found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


def import_graph(root: Path) -> dict[str, set[str]]:
    """The modules that each module imports when it is loaded."""
    paths = modules(root)
    return {name: set(_imports(name, path, paths)) - {name} for name, path in paths.items()}


def _imports(name: str, path: Path, paths: Mapping[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _at_module_level(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in paths)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(filter(None, (above, node.module)))
            for alias in node.names:
                module = f"{source}.{alias.name}"
                yield from (
                    found for found in (module, source) if found in paths and (found != source or module not in paths)
                )


def _at_module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is loaded."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (part for statement in node.orelse for part in (statement, *_at_module_level(statement)))
            continue
        yield node
        yield from _at_module_level(node)


def cycles(graph: Graph) -> list[list[str]]:
    """One cycle of each group of modules that import one another, until none is left."""
    rest, found = {name: set(targets) for name, targets in graph.items()}, []
    while True:
        try:
            TopologicalSorter(rest).prepare()
            return found
        except CycleError as error:
            cycle = error.args[1]
            found.append(cycle)
            rest[cycle[1]].discard(cycle[0])


def between_rooms(graph: Graph, root: Path) -> dict[str, set[str]]:
    """The imports between rooms: a room is a folder without sub-folders, or else each of the folder's own files.

    The `__init__.py` of a folder with sub-folders only collects what they export, so it is left out.
    """
    paths = modules(root)
    folders = {_folder(path, root) for path in paths.values()}
    parents = {folder for folder in folders if any(other.startswith(f"{folder}/") for other in folders)}
    room = {name: name if (folder := _folder(path, root)) in parents else folder for name, path in paths.items()}
    between: dict[str, set[str]] = {}
    for name, targets in graph.items():
        if room[name] != name or paths[name].name != "__init__.py":
            between.setdefault(room[name], set()).update({room[target] for target in targets} - {room[name]})
    return between


def _folder(path: Path, root: Path) -> str:
    return path.parent.relative_to(root).as_posix()


def main() -> int:
    """Print the table and the cycles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the checkout to look at")
    parser.add_argument("--arrows", action="store_true", help="print each import, file by file")
    options = parser.parse_args()
    graph = import_graph(options.root)
    folders = {name: _folder(path, options.root) for name, path in modules(options.root).items()}
    files = Counter(folders.values())
    within = Counter(folders[a] for a, targets in graph.items() for b in targets if folders[a] == folders[b])
    across = Counter(folders[a] for a, targets in graph.items() for b in targets if folders[a] != folders[b])
    print(f"{'folder':<32}{'files':>6}{'within':>8}{'across':>8}")
    for folder in sorted(files):
        print(f"{folder:<32}{files[folder]:>6}{within[folder]:>8}{across[folder]:>8}")
    print(f"{'all':<32}{files.total():>6}{within.total():>8}{across.total():>8}")
    found = {"files": cycles(graph), "rooms": cycles(between_rooms(graph, options.root))}
    for kind, some in found.items():
        print(f"cycles of {kind}: {len(some)}")
        for cycle in some:
            print("  " + " -> ".join(reversed(cycle)))
    if options.arrows:
        for name in sorted(graph):
            print(name, "->", *sorted(graph[name]))
    return any(found.values())


if __name__ == "__main__":
    raise SystemExit(main())
