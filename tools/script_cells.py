"""The cells of a program: what a reader of a notebook sees in place of a file with a command line."""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

RULE = re.compile(r"^# -{3,}[ -]*(.*)$")
NUMBERED = re.compile(r"^(\d+)\. (.*)$")
WRITTEN = re.compile(r"`(?:out/)?([\w*]+\.(?:png|svg))`")
SHOW = """\
from IPython.display import SVG, Image, display

for name in (
{names}
):
    display((SVG if name.endswith(".svg") else Image)(filename=f"out/{{name}}"))"""

Cell = tuple[str, str]
"""`("code", its lines)` or `("text", its lines as comments)`."""


def cells(script: Path) -> list[Cell]:
    """The cells of a program, from its docstring to the pictures that it writes."""
    source = script.read_text(encoding="utf-8")
    tree = ast.parse(source)
    doc = ast.get_docstring(tree) or ""
    found = [("text", _comments(_title(doc)))]
    body = source.splitlines()
    start = tree.body[0].end_lineno or 0
    found += _settings(script, tree)
    run: list[Cell] = []  # of main(): its helpers may stand below it, and must be there first
    for first, last in _paragraphs(body, start, len(body)):
        text = "\n".join(body[first:last])
        if text.startswith("def main("):
            run += _main(text)
        elif not text.startswith('if __name__ == "__main__":'):
            found += _cells_of(body[first:last])
    found = _merged_imports(found + run)
    names = WRITTEN.findall(doc)
    if names:
        found.append(("text", _comments("## The pictures")))
        found.append(("code", SHOW.format(names="\n".join(f'    "{name}",' for name in names))))
    return [(kind, _silent(text) if kind == "code" else text) for kind, text in found if text.strip()]


def _merged_imports(found: list[Cell]) -> list[Cell]:
    """Imports in one cell, without those that only a command line needs."""
    merged: list[Cell] = []
    imports = False
    for kind, text in found:
        text = text.replace("import argparse\n", "") if kind == "code" else text
        before, imports = imports, kind == "code" and _is_imports(text)
        if before and imports:
            merged[-1] = (kind, f"{merged[-1][1]}\n\n{text}")
        else:
            merged.append((kind, text))
    return merged


def _is_imports(text: str) -> bool:
    return all(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(text).body)


def _title(doc: str) -> str:
    """A docstring as Markdown: its first sentence is the title, commands are left out."""
    title, *paragraphs = doc.split("\n\n")
    prose = [text for text in paragraphs if not text.startswith("    python")]
    return "\n\n".join([f"# {' '.join(title.split()).rstrip('.')}", *prose])


def _settings(script: Path, tree: ast.Module) -> Iterator[Cell]:
    """Where a program imports its neighbours: the folder to find them in. Pictures are shown from their files."""
    neighbours = {path.stem for path in script.parent.glob("*.py")}
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    lines = ["import matplotlib", "", 'matplotlib.use("agg")  # the pictures are shown at the end, from their files']
    if neighbours & imported:
        lines = ["import sys", "", *lines, 'sys.path.insert(0, "../../examples")']
    yield "code", "\n".join(lines)


def _paragraphs(lines: list[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Blocks of lines between blank lines, or whole where a line after a blank is indented."""
    first = start
    while first < end:
        if not lines[first].strip():
            first += 1
            continue
        last = first
        while last < end and (lines[last].strip() or _goes_on(lines, last, end)):
            last += 1
        yield first, last
        first = last


def _goes_on(lines: list[str], blank: int, end: int) -> bool:
    following = next((line for line in lines[blank:end] if line.strip()), "")
    return following.startswith((" ", ")", "]", "}"))


def _cells_of(lines: list[str]) -> Iterator[Cell]:
    """The cells of one paragraph: a rule is a heading; comments that begin it and are sentences become text."""
    if len(lines) == 1 and (rule := RULE.match(lines[0])):
        yield "text", _comments(f"## {rule[1][:1].upper()}{rule[1][1:]}")
        return
    comments = 0
    while comments < len(lines) and lines[comments].startswith("# "):
        comments += 1
    if comments and lines[comments - 1].rstrip().endswith((".", ":")):
        words = "\n".join(line[2:] for line in lines[:comments])
        yield "text", _comments(NUMBERED.sub(r"## \1. \2", words))
        lines = lines[comments:]
    yield "code", "\n".join(lines)


def _main(text: str) -> Iterator[Cell]:
    """The body of main(), as if it stood by itself; the command line as values to change."""
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    lines = textwrap.dedent("\n".join(text.splitlines()[function.body[0].lineno - 1 :])).splitlines()
    yield "text", _comments("## Now run it")
    for first, last in _paragraphs(lines, 0, len(lines)):
        paragraph = [line for line in lines[first:last] if not line.startswith("return")]
        if any("ArgumentParser(" in line for line in paragraph):
            yield "code", _options("\n".join(paragraph))
        else:
            yield from _cells_of(paragraph)


def _options(text: str) -> str:
    """The options of a command line as values; lines that follow them stay."""
    values, others = [], []
    for node in ast.parse(text).body:
        source = ast.get_source_segment(text, node) or ""
        if "add_argument(" in source:
            values += _option(node)
        elif "parser" not in source:
            others.append(source)
    return "\n".join(["from types import SimpleNamespace", "", "options = SimpleNamespace(", *values, ")", *others])


def _option(node: ast.stmt) -> list[str]:
    assert isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    (flag,) = [argument.value for argument in node.value.args if isinstance(argument, ast.Constant)]
    given = {word.arg: word.value for word in node.value.keywords}
    default = ast.unparse(given["default"]) if "default" in given else "None"
    about = f"  # {ast.literal_eval(given['help'])}" if "help" in given else ""
    return [f"    {flag.lstrip('-').replace('-', '_')}={default},{about}"]


def _silent(text: str) -> str:
    """A program without the value of its last expression, which a notebook would show, and a terminal doesn't."""
    last = ast.parse(text).body[-1]
    if not isinstance(last, ast.Expr) or ast.unparse(last).startswith("print("):
        return text
    lines = text.splitlines()
    row = (last.end_lineno or 1) - 1
    column = len(lines[row].encode()[: last.end_col_offset].decode())  # the parser counts bytes
    lines[row] = f"{lines[row][:column]};{lines[row][column:]}"
    return "\n".join(lines)


def _comments(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())
