"""Private words that the package once used as terms: every one that is left, with the standard term to use instead.

    python tools/words.py [FOLDER_OR_FILE ...]

Looks into names (where they are defined), comments, docstrings and other text of Python files, and into the pages of
documentation. Prints each find as `path:line: word -> standard term`, and exits with 1 if there is one. A word of
ordinary English that looks like a private term goes into `ORDINARY`, with the reason.
"""

from __future__ import annotations

import argparse
import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PLACES = ("tensorgrad", "nn", "viz", "docs", "README.md")
LINKS = ("tensorgrad/nn", "tensorgrad/viz")
"""Links to folders that `PLACES` lists themselves."""


class Term(NamedTuple):
    """A private word: the standard term, and how to recognise it in names and in text."""

    standard: str
    name: str = ""
    """Matches a whole word of a name: `_make_room` has the words `make` and `room`."""
    text: str = ""
    """Matches in comments, docstrings, error texts and documentation."""
    under: tuple[str, ...] = ("",)
    """The folders in which the word is private; elsewhere it is ordinary."""


KERNELS = ("tensorgrad/kernels", "tensorgrad/compiler")
CODE = ("tensorgrad", "nn")
TERMS = (
    Term("kernel body, chunk", "pieces?", r"pieces?|\w+_pieces?"),
    Term("module, layer; memory, budget", "rooms?", "rooms?"),
    Term("layer, lower bound", "floors?", "floors?"),
    Term("reference", "twins?", "twins?"),
    Term("window parameters", "motions?", "motions?"),
    Term("status flag", "alarms?", r"alarms?|(?:left|leaves|leave|set|sets) a mark"),
    Term("status flag", "marked", "`marked`", under=KERNELS),
    Term("host call", "aside", "aside"),
    Term("guard", "holds", r"`holds`|engine\.holds|holds\(|\w+_call and holds"),
    Term("constant", "fixed", r"`_?fixed`|engine\.fixed|fixed\("),
    Term("trampoline", "thunks?", "thunks?"),
    Term("packed arguments", "words", r"`_?words`|argument words", under=KERNELS),
    Term("poison", "rubbish", "rubbish"),
    Term("not capturable, incompatible", "unfit|misfits?", "unfit|misfits?"),
    Term("view ops, graph index, edge tracks", "plumbing|wiring|rails?", "plumbing|wiring|rails?"),
    Term("detail level", "closely", "closely"),
    Term("number of tries", "LOOKS", r"(?-i:LOOKS)"),
    Term("newest, reverse topological order", "youngest", "youngest"),
    Term("backward pass", "", r"walk(?:s|ed|ing)?[\s#]+back|way[\s#]+back"),
    Term("im2row, packing, broadcast", "spread(?:s|ing)?", "spread(?:s|ing)?"),
    Term("transposed, packed", "turned", "turned"),
    Term("partition, chunk, weight", "shares?", r"(?:its|in|into|many|two|both|of)[\s#]+shares?|`shares?`", under=CODE),
    Term("command list, graph capture", "shortcuts?", r"shortcuts?|`launches`|launches\.py"),
    Term("host read", "seen", r"`_?seen`|_seen\("),
    Term("as_contiguous, contiguous", "", "`ready`", under=KERNELS),
)


class Ordinary(NamedTuple):
    """An ordinary use of such a word: a whole name, or a stretch of text around the word; and why it is right."""

    pattern: str
    reason: str
    name: bool = False


ORDINARY = (
    Ordinary(r"np\.floor|math\.floor|`?floor`?\(|floor_divide|floor (?:of|division)|`floor`", "the function ⌊x⌋"),
    Ordinary(
        r"floor_?|Floor|DivideFloor|_floor|_?floor_divide_?|_floor_divide_of_integers|FloorDivide|__r?i?floordiv__",
        "the function ⌊x⌋",
        name=True,
    ),
    Ordinary(r"share_\w+", "the verb, as PyTorch has it in share_memory_", name=True),
    Ordinary(r"sign, floor, ceil|expm1 floor fmax|\"Floor\"", "the function ⌊x⌋, in a list"),
    Ordinary(r"prefers-reduced-motion", "the name of a media feature of CSS"),
    Ordinary(r"Floor counts|floor mode|\"floor\"", "rounding down, the function ⌊x⌋"),
    Ordinary(r"(?:set|put|leave|left|take|taken)s? aside", "to lay something down beside"),
    Ordinary(r"turned (?:into|on|off|to|out)", "the verb: one thing becomes another"),
    Ordinary(r"false alarms?", "the standard term for false positives"),
    Ordinary(r"seen", "a local set of what a loop has met", name=True),
    Ordinary(r"_?(?:holds_\w+|Holds\w+)", "the verb: what a container holds", name=True),
    Ordinary(r"shortcut|PaddedShortcut", "the branch of a residual block that goes past its convolutions", name=True),
    Ordinary(r"shortcut connections?|shortcut\(x\)|\.shortcut|PaddedShortcut", "the same, in text"),
    Ordinary(r"(?:the|a) spread of", "how far values lie apart: statistics"),
)


class Passage(NamedTuple):
    """A stretch of text: a comment, a string, a page; or a name where it is defined."""

    line: int
    text: str
    is_name: bool = False


def passages(path: Path) -> Iterator[Passage]:
    """What there is to read in a file."""
    if path.suffix == ".py":
        yield Passage(1, path.stem, is_name=True)
        yield from _names(ast.parse(path.read_text(encoding="utf-8")))
        yield from _texts(path)
    else:
        yield Passage(1, path.read_text(encoding="utf-8"))


def _names(tree: ast.AST) -> Iterator[Passage]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield Passage(node.lineno, name, is_name=True)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield Passage(node.lineno, name, is_name=True)


def _texts(path: Path) -> Iterator[Passage]:
    """Strings, and comments; those on lines that follow each other are one text."""
    comment: list[str] = []
    begin = 0
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            kind, line = tokenize.tok_name[token.type], token.start[0]
            if kind == "COMMENT":
                if begin + len(comment) != line:
                    yield Passage(begin, "\n".join(comment))
                    begin, comment = line, []
                comment.append(token.string)
            elif kind in ("STRING", "FSTRING_MIDDLE"):
                yield Passage(line, token.string)
    yield Passage(begin, "\n".join(comment))


def finds(path: Path, root: Path = ROOT) -> list[tuple[int, str, str]]:
    """(line, word, standard term) for each private word in a file, in the order of lines."""
    place = path.relative_to(root).as_posix()
    terms = [term for term in TERMS if any(place.startswith(folder) for folder in term.under)]
    found = set()
    for passage in passages(path):
        for term in terms:
            for start, word in _in_name(term, passage.text) if passage.is_name else _in_text(term, passage.text):
                found.add((passage.line + passage.text.count("\n", 0, start), word, term.standard))
    return sorted(found)


def _in_name(term: Term, name: str) -> Iterator[tuple[int, str]]:
    ordinary = any(re.fullmatch(use.pattern, name) for use in ORDINARY if use.name)
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    spellings = {*words, *map(str.lower, words)}
    if term.name and not ordinary and any(re.fullmatch(term.name, word) for word in spellings):
        yield 0, name


def _in_text(term: Term, text: str) -> Iterator[tuple[int, str]]:
    if not term.text:
        return
    excused = [m.span() for use in ORDINARY if not use.name for m in re.finditer(use.pattern, text)]
    for match in re.finditer(rf"(?<!\w)(?:{term.text})(?!\w)", text, re.IGNORECASE):
        if not any(begin <= match.start() and match.end() <= end for begin, end in excused):
            yield match.start(), " ".join(match[0].split())


def files(place: Path) -> Iterator[Path]:
    """The Python files and pages of documentation in a folder, each once."""
    if place.is_file():
        yield place
        return
    for path in sorted((*place.rglob("*.py"), *place.rglob("*.md"))):
        if not any((ROOT / link) in path.parents for link in LINKS):
            yield path


def main() -> int:
    """Print the finds, and how many there are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="*", type=Path, default=[ROOT / place for place in PLACES])
    count = 0
    for place in parser.parse_args().places:
        for path in files(place.absolute()):
            for line, word, standard in finds(path):
                print(f"{path.relative_to(ROOT)}:{line}: {word} -> {standard}")
                count += 1
    print(f"{count} private words" if count else "no private words")
    return int(count > 0)


if __name__ == "__main__":
    raise SystemExit(main())
