"""How drawings look: colours, fonts, and text made safe for Graphviz's HTML-like labels.

The hues are those of Okabe and Ito, Color Universal Design, 2008, which colour-blind readers tell apart: blue is an op,
green a parameter, vermilion whatever belongs to the gradient.
"""

from __future__ import annotations

import html
import unicodedata
from typing import NamedTuple

BLUE, GREEN, VERMILION = "#0072B2", "#009E73", "#D55E00"
INK, GREY, PALE = "#222222", "#6B6B6B", "#B5B5B5"

FONT = "Arial"
"""What layouts measure text with: the one sans-serif whose widths Graphviz knows everywhere, font files or not."""

FONTS = "Helvetica,Arial,sans-serif"
"""What an SVG asks its reader for; the first two are equally wide."""

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

    >>> number(-0.123456), number(1e-7), number(3), number(True)
    ('−0.1235', '1e−07', '3', 'True')
    """
    return (f"{value:.{digits}g}" if isinstance(value, float) else str(value)).replace("-", "−")


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


def tooltip(text: str) -> str:
    """Text for a tooltip, in which Graphviz reads entities, and escapes twice over."""
    import graphviz

    return graphviz.escape(html.escape(shorten(text, 200), quote=False).replace("\\", "\\\\"))


GAP = '<FONT POINT-SIZE="3">\N{NO-BREAK SPACE}</FONT>'
"""An almost empty line of a label."""


def label(*lines: str) -> str:
    """Lines of runs as one label; empty ones are left out. Angle brackets tell Graphviz that it is HTML-like."""
    present = [line for line in lines if line]
    return f"<{'<BR/>'.join(present)}>" if present else ""
