"""The theme of drawings: colours, fonts, and how numbers and shapes are written.

The hues are those of Okabe and Ito, Color Universal Design, 2008, which colour-blind readers can distinguish: blue is
an op, green a parameter, vermilion the gradient.
"""

from __future__ import annotations

import math
import textwrap
import unicodedata
from typing import NamedTuple

from tensorgrad.system.numbers import number, power_of_ten

BLUE, GREEN, VERMILION, YELLOW = "#0072B2", "#009E73", "#D55E00", "#F0E442"
INK, GREY, PALE = "#222222", "#616161", "#B5B5B5"

GRADIENT, LIGHT_GRADIENT, GOOD = "#A83C00", "#FFB27A", "#00694D"
"""The same hues for text, with a contrast of 4.5:1: of a gradient, of one on a black face, of what is right."""

LIGHT_BLUE = "#7CC4F2"
"""Blue text on a black face."""

DECADES = ("#521E00", "#7F2F00", "#A84300", "#C85C16", "#D56826", "#DA7030")
"""The lanes of gradients, from the strongest to 10⁻⁵ of it and less; all of them have a contrast of 3:1."""

WIDTHS = (3.0, 2.4, 1.9, 1.5, 1.2, 0.9)
"""The widths of these lanes, in points. A wider one would cover the grey lane beside it."""

FONT = "Arial"
"""The font of layouts: the one sans-serif whose widths Graphviz knows without font files."""

FONTS = "Helvetica,Arial,sans-serif"
"""The fonts of an SVG; the first two have equal widths."""

LONGEST = 60
"""The longest text, in characters; of a longer one the middle is left out."""


class NodeStyle(NamedTuple):
    """How a kind of node looks: Graphviz's shape and style; colours of face, outline, text, small print, gradient."""

    shape: str
    style: str
    face: str
    outline: str
    ink: str
    small: str
    gradient: str = GRADIENT

    @property
    def attributes(self) -> dict[str, str]:
        """The style as Graphviz's attributes."""
        return {"shape": self.shape, "style": self.style, "fillcolor": self.face, "color": self.outline}


OP = NodeStyle("ellipse", "filled", "#DCEEF8", BLUE, INK, INK)
FAILED = NodeStyle("octagon", "filled", "#8B0000", "#8B0000", "#FFFFFF", "#FFFFFF")
MODULE = NodeStyle("folder", "filled", "#DCEEF8", BLUE, INK, GREY)
TENSORS = {
    "parameter": NodeStyle("cylinder", "filled", "#D8F0E7", GREEN, INK, GREY),
    "constant": NodeStyle("box", "rounded,filled,dashed", "#FAFAFA", PALE, GREY, GREY),
    "interior": NodeStyle("box", "rounded,filled", "#FFFFFF", GREY, INK, GREY),
    "output": NodeStyle("box", "rounded,filled", INK, INK, "#FFFFFF", "#DDDDDD", LIGHT_GRADIENT),
}

CANVAS = {
    "rankdir": "TB",
    "newrank": "true",  # nodes are ranked in the whole graph, not in each cluster
    "bgcolor": "white",
    "pad": "0.2",
    "ranksep": "0.24",
    "nodesep": "0.2",
    "fontname": FONT,
    "labelloc": "t",
    "labeljust": "l",
}
COMPACT = {"ranksep": "0.2", "nodesep": "0.15"}
"""What the compact view has in place of it."""

LAYER = {"style": "rounded,filled", "color": "#E4E4E4", "fillcolor": "#F6F6F6", "labeljust": "l", "margin": "8"}
NODES = {"fontname": FONT, "height": "0.1", "width": "0.1", "margin": "0.09,0.05"}
EDGES = {"fontname": FONT, "arrowsize": "0.55", "penwidth": "1.1"}


NOT_FINITE = "#8B1A6B"
"""The lane of a gradient that is NaN or infinite."""


def lane(strength: float, strongest: float) -> tuple[str, float] | None:
    """Colour and width of a gradient's lane; None where all gradients are 0.

    >>> lane(0.2, 2.0), lane(float("inf"), 2.0), lane(0.0, 0.0)
    (('#7F2F00', 2.4), ('#8B1A6B', 3.0), None)
    """
    if not math.isfinite(strength):
        return NOT_FINITE, WIDTHS[0]
    if strongest <= 0:
        return None
    place = level(strength / strongest)
    return DECADES[place], WIDTHS[place]


def level(ratio: float) -> int:
    """The index in `DECADES` of a gradient, by its ratio to the strongest.

    >>> level(1.0), level(0.2), level(0.02), level(0.0)
    (0, 0, 1, 5)
    """
    return min(int(-math.log10(min(ratio, 1.0))), len(DECADES) - 1) if ratio > 0 else len(DECADES) - 1


def wrapped(text: str, width: int, lines: int) -> list[str]:
    """The text in at most that many lines; a longer text ends in `…`."""
    text = shorten(text, 10 * width)
    return textwrap.wrap(text, width, max_lines=lines, placeholder=" …")


def shorten(text: str, longest: int = LONGEST) -> str:
    """The text on one line, without control characters; where it is longer than `longest`, its middle is left out.

    >>> shorten("encoder" + ".block" * 50 + ".weight", 21)
    'encoder.bl…ock.weight'
    """
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in text)
    text = " ".join(text.split())
    head = longest // 2
    return text if len(text) <= longest else f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"


def short(value: float) -> str:
    """A number in few characters: two or three digits, powers of ten where there would be many zeros.

    >>> short(0.01234), short(-3.14159), short(5.4e-7), short(1234567.0), short(20), short(float("nan"))
    ('0.012', '−3.14', '5.4·10⁻⁷', '1.2·10⁶', '20', 'NaN')
    """
    if not math.isfinite(value):
        return number(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return number(value, 3 if abs(value) >= 1 else 2) if abs(value) < 1e3 else f"{value:.0f}".replace("-", "−")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}·{power_of_ten(int(exponent))}".replace("-", "−")


def power(ratio: float) -> str:
    """A ratio as text, when only its order of magnitude matters.

    >>> power(0.0031), power(1e-5), power(0.25), power(431.0), power(0.0), power(float("inf"))
    ('3·10⁻³', '10⁻⁵', '0.25', '431', '0', '∞')
    """
    if not math.isfinite(ratio) or ratio == 0 or 0.01 <= ratio < 1000:
        return number(ratio, 3 if ratio >= 1 else 2)
    mantissa, _, exponent = f"{ratio:.0e}".partition("e")
    return f"{mantissa}·{power_of_ten(int(exponent))}".removeprefix("1·")


def share(part: float) -> str:
    """A fraction in per cent.

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
