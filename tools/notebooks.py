"""Write notebooks/ anew: lessons from the programs in examples/, tutorials from the pages in docs/tutorials/.

    python -m tools.notebooks

Nothing is written twice: a program stays one to run from a terminal, a page one to read, and notebooks are made of
them. Of a program, comments and docstrings become text, the body of `main()` becomes cells of its own, its command line
values to change, and a last cell shows the pictures that were written. Of a page, printed results and pictures are left
out, which the notebook makes itself. Notebooks have no outputs: they are light, and change only with their source.
"""

import re
from pathlib import Path
from typing import Any

import jupytext

from tools.script_cells import cells

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
HEAD = "_Made from [`{name}`]({link}) by `make notebooks`: change it there. Needs the extra `plots`._"
OUTPUT = re.compile(r"(^```python\n.*?^```\n)\n?^```text\n.*?^```\n", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"(^```python\n(?:(?!^```).)*?^```\n)\n!\[[^\]]*\]\([^)]*\)\n", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)\s#]+)")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> None:
    """Write every notebook."""
    for path, text in notebooks().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


def notebooks() -> dict[Path, str]:
    """The content of every notebook, by its path."""
    found = {}
    for script in sorted((ROOT / "examples").glob("lesson*.py")):
        found[NOTEBOOKS / "lessons" / f"{script.stem}.ipynb"] = of_script(script)
    for page in sorted((ROOT / "docs" / "tutorials").glob("*.md")):
        if page.stem != "index":
            found[NOTEBOOKS / "tutorials" / f"{page.stem}.ipynb"] = of_page(page)
    return found


def of_script(script: Path) -> str:
    """A notebook of a program."""
    text = [f"# %%{'' if kind == 'code' else ' [markdown]'}\n{content}\n" for kind, content in cells(script)]
    return _written(jupytext.reads("\n".join(text), "py:percent"), script)


def of_page(page: Path) -> str:
    """A notebook of a page: its `python` blocks are cells."""
    text = page.read_text(encoding="utf-8")
    text = PICTURE.sub(r"\1", OUTPUT.sub(r"\1", text))
    text = LINK.sub(lambda found: f"]({_from_notebooks(page, found[1])}", text)
    notebook = jupytext.reads(text, "md")
    return _written(notebook, page)


def _from_notebooks(page: Path, link: str) -> str:
    """A page's link, as it is from the notebook of a page."""
    target = (page.parent / link).resolve()
    return f"../../{target.relative_to(ROOT).as_posix()}"


def _written(notebook: Any, source: Path) -> str:
    name = source.relative_to(ROOT).as_posix()
    title = notebook.cells[0]
    title.source += f"\n\n{HEAD.format(name=name, link=f'../../{name}')}"
    notebook.metadata = METADATA
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        cell.metadata = {}
    return jupytext.writes(notebook, "ipynb").rstrip("\n") + "\n"


if __name__ == "__main__":
    main()
