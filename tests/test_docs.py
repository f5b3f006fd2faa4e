"""The pages tell the truth: the code of some of them runs, and is quoted as it is; links lead somewhere."""

import contextlib
import io
import re
import textwrap
from pathlib import Path

import pytest

import tensorgrad as tg

ROOT = Path(__file__).parent.parent
WALK = ROOT / "docs" / "how-it-works.md"
ROOT_PAGES = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CODE_OF_CONDUCT", "SECURITY")]
PAGES = [*ROOT_PAGES, *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {
    "distributed": "numpy",
    "estimators": "sklearn.base",
    "index": "matplotlib",
    "how-to": "matplotlib",
    "onnx": "onnxruntime",
    "sweeps": "joblib",
    "training": "matplotlib",
    "tutorials/digits": "matplotlib",
    "tutorials/from-pytorch": "matplotlib",
    "tutorials/one-neuron": "matplotlib",
}
"""Pages, besides the walk, whose programs run and print what stands below them, and a package that each needs."""
OWN_FILES = {"network.py"}
"""Files that a page asks the reader to write."""
TO_ADD = {"tg.lisht"}
"""Functions that a page adds."""
LEFT_OUT = "…"
"""A line of a quotation that stands for lines of the file."""


def blocks(page):
    """`(line, language, text)` of each fenced block of a page."""
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        yield page.count("\n", 0, found.start()) + 2, found[1], found[2]


def quotation(text):
    """`(file, passages)` of a block that begins with a comment naming a file; None for a block to run."""
    first, _, rest = text.partition("\n")
    named = re.fullmatch(r"# ([\w/.-]+\.py)", first)
    if named is None:
        return None
    passages = re.split(rf"^\s*{LEFT_OUT}\n", rest, flags=re.MULTILINE)
    return named[1], [passage for passage in passages if passage.strip()]


def missing(passages, source):
    """The passages that don't occur in the source in this order, as whole lines at any one indentation."""
    where = 0
    for passage in passages:
        lines = textwrap.dedent(passage).strip("\n")
        for depth in range(0, 20, 4):
            place = ("\n" + source).find("\n" + textwrap.indent(lines, " " * depth) + "\n", where)
            if place >= 0:
                where = place + 1
                break
        else:
            yield passage


def quotations(page):
    for line, language, text in blocks(page):
        if language == "python" and (found := quotation(text)):
            yield line, *found


def programs(page):
    """`(line, code, printed)` of each block to run; `printed` is the text block right below it, or nothing."""
    found = list(blocks(page))
    after = [*found[1:], (0, "", "")]
    for (line, language, text), (_, kind, printed) in zip(found, after, strict=True):
        if language == "python" and quotation(text) is None:
            yield line, text, printed if kind == "text" else ""


def run(page):
    """Run a page's programs in one namespace; gives `(line, printed, expected)`."""
    space = {"__name__": "page"}
    for line, code, expected in programs(page):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile("\n" * (line - 1) + code, str(WALK), "exec"), space)
        yield line, said.getvalue(), expected


def test_the_walk_prints_what_it_says():
    outputs = list(run(WALK.read_text(encoding="utf-8")))
    assert len(outputs) >= 12
    for line, printed, expected in outputs:
        assert printed == expected, f"{WALK.name}:{line}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_page_prints_what_it_says(name, tmp_path, monkeypatch):
    pytest.importorskip(PROGRAMS[name])
    monkeypatch.chdir(tmp_path)  # some write files
    page = ROOT / "docs" / f"{name}.md"
    for line, printed, expected in run(page.read_text(encoding="utf-8")):
        assert printed == expected, f"{page.name}:{line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_quoted_as_it_is(page):
    found = list(quotations(page.read_text(encoding="utf-8")))
    assert len(found) >= 12 or page != WALK
    for line, file, passages in found:
        wrong = list(missing(passages, (ROOT / file).read_text(encoding="utf-8")))
        assert not wrong, f"{page.name}:{line}: {file} doesn't contain\n{wrong[0]}"


def test_wrong_pages_are_found():
    page = (
        "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```python\n# tensorgrad/a.py\ndef f():\n    …\n    y\n```\n"
    )
    assert list(run(page)) == [(2, "2\n", "3\n")]
    assert [file for _, file, _ in quotations(page)] == ["tensorgrad/a.py"]
    ((_, _, passages),) = quotations(page)
    assert list(missing(passages, "class A:\n    def f():\n        x\n        y\n")) == []
    assert list(missing(passages, "y\ndef f():\n    x\n")) == ["    y\n"]
    assert list(missing(passages, "def f():\n    yes\n")) == ["    y\n"]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_functions_that_a_page_names_exist(page):
    files = [path for top in ("tensorgrad", "nn", "viz", "tests", "examples", "benchmarks", "tools", "docs")
             for path in (ROOT / top).rglob("*")]  # fmt: skip
    known = {path.name for path in files}
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for path in re.findall(r"`([\w/]*\w\.py)`", text):
        if path in OWN_FILES:
            continue
        assert (ROOT / path).exists() if "/" in path else path in known, f"{page.name}: no {path}"
    for name in re.findall(r"`(tg\.[\w.]+)", text):
        found = tg
        for part in name.split(".")[1:]:
            found = getattr(found, part, None)
        assert found is not None or name in TO_ADD, f"{page.name}: no {name}"
