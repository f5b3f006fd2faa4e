"""The table of PyTorch's names in docs/coming-from-pytorch.md: which of those that CNN scripts use are there.

    python tools/pytorch_names.py [--check]

The names in pytorch_names.txt were counted on public training scripts: A is what most need, B what some need. Writes
the table between the page's two markers, and prints how many of A and B are there; with `--check` it writes nothing,
and exits with 1 if the page would change.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[1] / "docs" / "coming-from-pytorch.md"
LIST = Path(__file__).with_suffix(".txt")
BEGIN, END = "<!-- names: begin -->", "<!-- names: end -->"


class Names(NamedTuple):
    """The names of one module or class of PyTorch's, and where tensorgrad has them."""

    theirs: str
    ours: str
    wanted: dict[str, list[str]]
    """The names of A and of B."""


def read_names(path: Path = LIST) -> list[Names]:
    """The list: lines `theirs -> ours`, below each the names after `A:` and after `B:`, over any number of lines."""
    sections: list[Names] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        theirs, arrow, ours = line.partition(" -> ")
        if arrow:
            sections.append(Names(theirs, ours, {"A": [], "B": []}))
            continue
        for word in line.split():
            if word in ("A:", "B:"):
                names = sections[-1].wanted[word[0]]
            else:
                names.append(word)
    return sections


def found(root: str, path: str) -> bool:
    """Whether tensorgrad has `path` below `root`: a module, a class, or a name in one."""
    parts = [*root.split("."), *path.split(".")]
    try:
        here: Any = importlib.import_module(parts[0])
    except ImportError:
        return False
    for k, part in enumerate(parts[1:], 2):
        try:
            here = getattr(here, part)
        except AttributeError:
            try:
                here = importlib.import_module(".".join(parts[:k]))
            except ImportError:
                return False
    return True


def table(sections: list[Names]) -> str:
    """The page's table in Markdown."""
    rows = ["| PyTorch | tensorgrad | A | B | not there |", "|---|---|---|---|---|"]
    for names in sections:
        gone = {which: [n for n in wanted if not found(names.ours, n)] for which, wanted in names.wanted.items()}
        a, b = (f"{len(all_) - len(gone[which])} of {len(all_)}" for which, all_ in names.wanted.items())
        absent = ", ".join(f"`{name}`" for name in [*gone["A"], *gone["B"]])
        rows.append(f"| `{names.theirs}` | `{names.ours}` | {a} | {b} | {absent or '—'} |")
    return "\n".join(rows)


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page would change")
    arguments = parser.parse_args()
    sections = read_names()
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    new = f"{before}{BEGIN}\n{table(sections)}\n{END}{after}"
    for which in ("A", "B"):
        all_ = [(names, name) for names in sections for name in names.wanted[which]]
        gone = [f"{names.theirs}.{name}" for names, name in all_ if not found(names.ours, name)]
        print(f"{which}: {len(all_) - len(gone)} of {len(all_)} names are there", *gone[:40])
    if arguments.check:
        return int(new != page)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
