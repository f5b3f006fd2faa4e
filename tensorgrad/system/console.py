"""Messages on standard output and standard error, which may be missing, closed, or limited to ASCII."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from typing import Any


def say(text: str, error: bool = False) -> None:
    """Print a line and flush it, to standard output or, with `error`, to standard error.

    A message must never stop the work that it reports: a stream that is closed, full, or None, as under pythonw and in
    services, is ignored.

    >>> say("epoch 1/3: loss 0.25")
    epoch 1/3: loss 0.25
    """
    stream = sys.stderr if error else sys.stdout
    if stream is None:  # `print` would use standard output
        return
    with suppress(OSError, ValueError):
        print(printable(text, stream), file=stream, flush=True)


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; False for one that is None, closed or not a file."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def with_bar(items: Iterable[Any], title: str) -> Iterable[Any]:
    """The same items, with a progress bar if standard error is a terminal."""
    if not is_terminal(sys.stderr):
        return items
    from tqdm import tqdm

    return tqdm(items, printable(title, sys.stderr), leave=False, file=sys.stderr)


def printable(text: str, stream: Any = None) -> str:
    """The text in the encoding of a stream, by default standard output: other characters are spelled in ASCII.

    Call it before aligning columns, since spelling changes the width.

    >>> import io
    >>> ascii_only = io.TextIOWrapper(io.BytesIO(), "ascii")
    >>> printable("∂L/∂w₁ = −2 · x² + σ(ŷ) …", ascii_only)
    'dL/dw1 = -2 * x^2 + sigma(y) ...'
    >>> printable("∂L/∂w₁", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    '∂L/∂w₁'
    """
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None)
    if not encoding or _encodable(text, encoding):
        return text
    spelled, raised = [], False
    for character in text:
        known = _encodable(character, encoding)
        word, raises = (character, False) if known else _spelled(character)
        spelled.append("^" + word if raises and not raised else word)
        raised = raises
    return "".join(spelled)


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def _spelled(character: str) -> tuple[str, bool]:
    """A character in ASCII, and whether it is a superscript, as the 2 of x², which gets a `^`."""
    if character in _SPELLINGS:
        return _SPELLINGS[character], False
    raised = unicodedata.decomposition(character).startswith("<super>")
    plain = "".join(_SPELLINGS.get(c, c) for c in unicodedata.normalize("NFKD", character))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    if plain.isascii() and (plain or unicodedata.combining(character)):
        return plain, raised
    name = unicodedata.name(plain, "") if len(plain) == 1 else ""
    if name.startswith("GREEK") and " LETTER " in name:
        word = name.split(" LETTER ")[1].split()[-1]
        return word.lower() if "SMALL" in name else word.capitalize(), raised
    return character.encode("ascii", "backslashreplace").decode(), False


_SPELLINGS = {
    **dict.fromkeys("┌┐└┘├┤┬┴┼", "+"),
    **{"─": "-", "│": "|", "┆": ":", "○": "o", "●": "*", "✓": "ok", "✗": "x", "…": "...", "–": "-", "—": "-"},
    **{"−": "-", "·": "*", "×": "*", "⊙": "*", "∗": "*", "÷": "/", "±": "+-", "⁄": "/"},
    **{"∂": "d", "Σ": "sum", "∑": "sum", "Π": "prod", "∏": "prod", "√": "sqrt", "∫": "int", "∞": "inf", "′": "'"},
    **{"≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "←": "<-", "↑": "^", "↓": "v"},
    **{"‖": "||", "⟨": "<", "⟩": ">", "⌊": "[", "⌋": "]", "⌈": "[", "⌉": "]"},
    **{"∈": "in", "∀": "for all", "∃": "there is", "∧": "and", "∨": "or", "¬": "not", "⊕": "xor"},
    **{"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"},
}
"""The ASCII spelling of characters in the formulas and drawings of this project; Greek letters have names."""
