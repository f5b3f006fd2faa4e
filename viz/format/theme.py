"""How drawings look: colours, fonts, and text made safe for Graphviz's HTML-like labels.

The hues are those of Okabe and Ito, Color Universal Design, 2008, which colour-blind readers tell apart: blue is an op,
green a parameter, vermilion whatever belongs to the gradient.
"""

from __future__ import annotations

import html
import math
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

BLUE, GREEN, VERMILION, YELLOW = "#0072B2", "#009E73", "#D55E00", "#F0E442"
INK, GREY, PALE = "#222222", "#6B6B6B", "#B5B5B5"

DECADES = ("#662500", "#A03C00", "#D2601A", "#EC8F55", "#F4B48C", "#F5CDB4")
"""Lanes of gradients, from the strongest to those 10⁻⁵ of it and less: lightness alone tells them apart."""

WIDTHS = (3.0, 2.4, 1.9, 1.5, 1.2, 0.9)
"""Of these lanes, in points. A wider one would cover the grey lane beside it."""

FONT = "Arial"
"""What layouts measure text with: the one sans-serif whose widths Graphviz knows everywhere, font files or not."""

FONTS = "Helvetica,Arial,sans-serif"
"""What an SVG asks its reader for; the first two are equally wide."""

SMALL = 9
"""Points of small print."""

AIR = 11
"""Points of the line that it stands on."""

LONGEST = 60
"""Characters in a piece of text, before its middle is left out."""


class Look(NamedTuple):
    """A kind of node: Graphviz's shape and style; the colours of its face, outline, text and small print."""

    shape: str
    style: str
    face: str
    outline: str
    ink: str
    small: str

    @property
    def attributes(self) -> dict[str, str]:
        """The look as Graphviz's attributes."""
        return {"shape": self.shape, "style": self.style, "fillcolor": self.face, "color": self.outline}


OP = Look("ellipse", "filled", "#DCEEF8", BLUE, INK, INK)
FAILED = Look("octagon", "filled", "#8B0000", "#8B0000", "#FFFFFF", "#FFFFFF")
MODULE = Look("folder", "filled", "#DCEEF8", BLUE, INK, GREY)
TENSORS = {
    "parameter": Look("cylinder", "filled", "#D8F0E7", GREEN, INK, GREY),
    "constant": Look("box", "rounded,filled,dashed", "#FAFAFA", PALE, GREY, GREY),
    "interior": Look("box", "rounded,filled", "#FFFFFF", GREY, INK, GREY),
    "output": Look("box", "rounded,filled", INK, INK, "#FFFFFF", "#DDDDDD"),
}

CANVAS = {
    "rankdir": "TB",
    "newrank": "true",  # layers are ranked with the whole, not each by itself
    "bgcolor": "white",
    "pad": "0.2",
    "ranksep": "0.24",
    "nodesep": "0.2",
    "fontname": FONT,
    "labelloc": "t",
    "labeljust": "l",
}
LAYER = {"style": "rounded,filled", "color": "#E4E4E4", "fillcolor": "#F6F6F6", "labeljust": "l", "margin": "8"}
NODES = {"fontname": FONT, "height": "0.1", "width": "0.1", "margin": "0.09,0.05"}
EDGES = {"fontname": FONT, "arrowsize": "0.55", "penwidth": "1.1"}


NOT_FINITE = "#8B1A6B"
"""The lane of a gradient that is NaN or infinite: no length can be compared with that."""


def lane(strength: float, strongest: float) -> tuple[str, float] | None:
    """Colour and width of a gradient's lane; None where there is nothing to compare it with.

    >>> lane(0.2, 2.0), lane(float("inf"), 2.0), lane(0.0, 0.0)
    (('#A03C00', 2.4), ('#8B1A6B', 3.0), None)
    """
    if not math.isfinite(strength):
        return NOT_FINITE, WIDTHS[0]
    if strongest <= 0:
        return None
    place = level(strength / strongest)
    return DECADES[place], WIDTHS[place]


def level(ratio: float) -> int:
    """Which of `DECADES` a gradient gets that is this part of the strongest.

    >>> level(1.0), level(0.2), level(0.02), level(0.0)
    (0, 0, 1, 5)
    """
    return min(int(-math.log10(min(ratio, 1.0))), len(DECADES) - 1) if ratio > 0 else len(DECADES) - 1


def sheet() -> str:
    """The style sheet of an SVG: how wide each lane is."""
    lanes = [(GREY, EDGES["penwidth"]), *zip(DECADES, WIDTHS, strict=True), (NOT_FINITE, WIDTHS[0])]
    rules = (f'.edge path[stroke="{colour.lower()}"]{{stroke-width:{width}}}' for colour, width in lanes)
    return f"<style>{''.join(rules)}</style>"


def wrapped(text: str, width: int, lines: int) -> list[str]:
    """Text as at most so many lines; what is too long ends in `…`."""
    text = shorten(text, 10 * width)
    return textwrap.wrap(text, width, max_lines=lines, placeholder=" …")


def shorten(text: str, longest: int = LONGEST) -> str:
    """The text on one line, its middle left out if it is too long, without characters that can't be seen or stored.

    >>> shorten("encoder" + ".block" * 50 + ".weight", 21)
    'encoder.bl…ock.weight'
    """
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in text)
    text = " ".join(text.split())
    head = longest // 2
    return text if len(text) <= longest else f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"


def number(value: float, digits: int = 4) -> str:
    """A number with that many significant digits and a true minus sign.

    >>> number(-0.123456), number(1e-7), number(3), number(True), number(float("-inf"))
    ('−0.1235', '1e−07', '3', 'True', '−∞')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return (f"{value:.{digits}g}" if isinstance(value, float) else str(value)).replace("-", "−")


def short(value: float) -> str:
    """A number in the least room: two or three digits, powers of ten where there would be many zeros.

    >>> short(0.01234), short(-3.14159), short(5.4e-7), short(1234567.0), short(20), short(float("nan"))
    ('0.012', '−3.14', '5.4·10⁻⁷', '1.2·10⁶', '20', 'NaN')
    """
    if not math.isfinite(value):
        return number(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return number(value, 3 if abs(value) >= 1 else 2) if abs(value) < 1e3 else f"{value:.0f}".replace("-", "−")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}·10{_raised(int(exponent))}".replace("-", "−")


def power(ratio: float) -> str:
    """A ratio, of which the order of magnitude counts.

    >>> power(0.0031), power(1e-5), power(0.25), power(431.0), power(0.0), power(float("inf"))
    ('3·10⁻³', '10⁻⁵', '0.25', '431', '0', '∞')
    """
    if not math.isfinite(ratio) or ratio == 0 or 0.01 <= ratio < 1000:
        return number(ratio, 3 if ratio >= 1 else 2)
    mantissa, _, exponent = f"{ratio:.0e}".partition("e")
    return f"{mantissa}·10{_raised(int(exponent))}".removeprefix("1·")


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def share(part: float) -> str:
    """A share in per cent.

    >>> share(0.583), share(0.004), share(1), share(float("nan"))
    ('58 %', '0.4 %', '100 %', 'NaN %')
    """
    if not math.isfinite(part):
        return f"{number(part)} %"
    return f"{part * 100:.{0 if part == 0 or part >= 0.01 else 1}f} %"


def sizes(shape: tuple[int, ...]) -> str:
    """A shape, as `t.shape` prints it: a plain 2 would be a value.

    >>> sizes((32, 1, 28, 28)), sizes((2,)), sizes(())
    ('(32, 1, 28, 28)', '(2,)', 'scalar')
    """
    return str(shape) if shape else "scalar"


def run(text: str, color: str, points: int, bold: bool = False, pad: str = "") -> str:
    """A run of text for an HTML-like label, between two pads. Whatever is in it comes out as text; of nothing, nothing.

    >>> run("<b>", INK, 10)
    '<FONT COLOR="#222222" POINT-SIZE="10">&lt;b&gt;</FONT>'
    """
    text = shorten(text)
    if not text:
        return ""
    # Graphviz reads escapes such as \N (the node's name) in HTML-like labels too.
    escaped = pad + html.escape(text, quote=False).replace("\\", "\\\\") + pad
    return f'<FONT COLOR="{color}" POINT-SIZE="{points}">{f"<B>{escaped}</B>" if bold else escaped}</FONT>'


def small(text: str, color: str, pad: str = "\N{NO-BREAK SPACE}", points: int = SMALL) -> str:
    """A run of small print, between pads of a larger size that keep it off the line above."""
    text = run(text, color, points)
    return text and f'<FONT POINT-SIZE="{AIR}">{pad}</FONT>{text}<FONT POINT-SIZE="{AIR}">{pad}</FONT>'


def tooltip(text: str) -> str:
    """Text for a tooltip, in which Graphviz reads entities, and escapes twice over."""
    import graphviz

    return graphviz.escape(html.escape(shorten(text, 200), quote=False).replace("\\", "\\\\"))


GAP, LID = (f'<FONT POINT-SIZE="{points}">\N{NO-BREAK SPACE}</FONT>' for points in (3, 12))
"""Empty lines of a label: an almost empty one, and one of the height of a large cylinder's lid."""


def label(*lines: str, cells: Sequence[str] = (), align: str = "CENTER") -> str:
    """Lines of runs as one label, cells below them; empty ones are left out.

    Angle brackets tell Graphviz that it is HTML-like. Text stands in a table only beside cells: without, it is smaller.
    """
    present = [line for line in lines if line]
    below = [cell for cell in cells if cell]
    if not below:
        return f"<{'<BR/>'.join(present)}>" if present else ""
    rows = "".join(f"<TR>{cell}</TR>" for cell in [*(f'<TD ALIGN="{align}">{line}</TD>' for line in present), *below])
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>>'


def badge(text: str, more: str = "") -> str:
    """A cell that catches the eye, of one line or two."""
    lines = [run(text, INK, 10, bold=True), run(more, INK, SMALL)]
    written = "".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines if line)
    return text and f'<TD ALIGN="LEFT" BALIGN="LEFT" BGCOLOR="{YELLOW}" CELLPADDING="3">{written}</TD>'
