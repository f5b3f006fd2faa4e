"""Notebooks are made from lessons and tutorials, hold no outputs, and are light; `make run-notebooks` executes them."""

import ast
import json

import pytest

pytest.importorskip("jupytext")
from tools import notebooks, script_cells

MADE = notebooks.notebooks()
LARGEST = 32 * 1024


def code(text):
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


def test_they_are_what_their_sources_give():
    """Else run `make notebooks`."""
    there = {path: path.read_text(encoding="utf-8") for path in notebooks.NOTEBOOKS.rglob("*.ipynb")}
    assert there.keys() == MADE.keys() and len(there) >= 13
    for path, text in MADE.items():
        assert json.loads(there[path]) == json.loads(text), path.name


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.stem)
def test_they_are_light_and_their_cells_are_programs(path):
    text = MADE[path]
    assert len(text.encode()) < LARGEST
    cells = json.loads(text)["cells"]
    assert cells[0]["cell_type"] == "markdown" and cells[0]["source"][0].startswith("# ")
    assert not any(cell.get("outputs") for cell in cells)
    programs = code(text)
    assert len(programs) > 3
    for program in programs:
        ast.parse(program)
    assert not any("argparse" in program or "__main__" in program for program in programs)


def test_a_program_becomes_cells(tmp_path):
    (tmp_path / "other.py").write_text("", encoding="utf-8")
    script = tmp_path / "lesson.py"
    script.write_text(PROGRAM, encoding="utf-8")
    found = script_cells.cells(script)
    texts = ["# # A title\n#\n# Writes `out/a.png` and `b.svg`.", "# Numbers first:", "# ## 2. More of them."]
    texts += ["# ## Now run it", "# ## The pictures"]
    assert [text for kind, text in found if kind == "text"] == texts
    codes = [text for kind, text in found if kind == "code"]
    assert any(text.startswith("import sys") and "examples" in text for text in codes)
    # main() comes last, after the function below it; the command line is a group of values.
    (options,) = [text for text in codes if "SimpleNamespace" in text]
    assert codes.index(options) > codes.index("def twice(x):\n    return 2 * x")
    space = {}
    exec(options, space)
    assert vars(space["options"]) == {"epochs": 3, "held_out": 0.5, "data": None}
    assert "str(y);  # no terminal shows this" in codes[-2].splitlines()
    assert "y = twice(options.epochs)" in codes[-2].splitlines()
    assert "x = 1  # not text" in codes
    assert 'display((SVG if name.endswith(".svg") else Image)(filename=f"out/{name}"))' in codes[-1]
    assert '"a.png"' in codes[-1] and '"b.svg"' in codes[-1]


PROGRAM = '''"""A title.

    python lesson.py

Writes `out/a.png` and `b.svg`.
"""

import argparse

from other import something

# Numbers first:
x = 1  # not text

# 2. More of them.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3, help="how many")
    parser.add_argument("--held-out", type=float, default=0.5)
    parser.add_argument("--data", help="a folder")
    options = parser.parse_args()

    y = twice(options.epochs)
    str(y)  # no terminal shows this


def twice(x):
    return 2 * x


if __name__ == "__main__":
    main()
'''


def test_a_page_becomes_cells_without_its_results(tmp_path, monkeypatch):
    page = tmp_path / "docs" / "tutorials" / "page.md"
    page.parent.mkdir(parents=True)
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    page.write_text(
        "# Page\n\nText, and [a link](../how-to.md#x).\n\n```python\nprint(1)\n```\n```text\n1\n```\n\n"
        "```python\ndraw()\n```\n\n![drawn](../gallery/a.svg)\n\n```text\nkept, for no program printed it\n```\n",
        encoding="utf-8",
    )
    text = notebooks.of_page(page)
    assert code(text) == ["print(1)", "draw()"]
    prose = "\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")
    assert "(../../docs/how-to.md#x)" in prose and "![drawn]" not in prose and "kept" in prose
    assert "```text\n1" not in prose
