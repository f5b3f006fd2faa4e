"""The style sheet of an SVG: the width of each lane, and the colours of a drawing for readers who prefer dark pages.

Programs that know no style sheets, and paper, show the colours of the theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tensorgrad.viz.format import theme

DARK_TEXT = {
    theme.INK: "#ECECF0",
    theme.GREY: "#B4B4BD",
    theme.GRADIENT: "#FF9D63",
    theme.GOOD: "#5FD0AA",
    "#FFFFFF": "#17171A",
    "#DDDDDD": "#3A3A41",
    theme.LIGHT_GRADIENT: "#8A3200",
}
"""The colours of text, by those of the light drawing; each has a contrast of 4.5:1 on the dark faces."""

DARK_SHAPES = {
    "white": "#17171A",
    "#FFFFFF": "#2A2A30",
    theme.OP.face: "#1D3848",
    theme.TENSORS["parameter"].face: "#17392E",
    theme.TENSORS["constant"].face: "#1F1F23",
    theme.LAYER["fillcolor"]: "#212126",
    theme.LAYER["color"]: "#3A3A41",
    theme.INK: "#ECECF0",
    theme.GREY: "#8F8F99",
    theme.PALE: "#76767F",
    theme.BLUE: "#4C9CCF",
    theme.GREEN: "#3FB78F",
    theme.VERMILION: "#FF8F4D",
    theme.YELLOW: "#5C5410",
    theme.FAILED.face: "#FF9D93",
    theme.LIGHT_BLUE: "#00609A",
    theme.NOT_FINITE: "#E07CC0",
    **dict(zip(theme.DECADES, ("#FFE2CC", "#FFC79E", "#FFA668", "#E8803A", "#D0703A", "#C4642A"), strict=True)),
}
"""The colours of faces, outlines and lanes, likewise; each lane has a contrast of 3:1 on the dark canvas."""


def sheet() -> str:
    """The style sheet, as an element of an SVG."""
    lanes = [(theme.GREY, theme.EDGES["penwidth"]), *zip(theme.DECADES, theme.WIDTHS, strict=True)]
    lanes.append((theme.NOT_FINITE, theme.WIDTHS[0]))
    widths = (f'.edge path[stroke="{colour.lower()}"]{{stroke-width:{width}}}' for colour, width in lanes)
    # A lane that crosses a text stops short of it.
    face = theme.TENSORS["interior"].face
    halo = f".edge text{{paint-order:stroke;stroke:{face};stroke-width:5px;stroke-linejoin:round}}"
    dark = [
        f".edge text{{stroke:{DARK_SHAPES['white']}}}",
        *_recoloured("text", "fill", DARK_TEXT),
        *_recoloured(":not(text)", "fill", DARK_SHAPES),
        *_recoloured("", "stroke", DARK_SHAPES),
    ]
    return f"<style>{''.join(widths)}{halo}@media screen and (prefers-color-scheme:dark){{{''.join(dark)}}}</style>"


def _recoloured(elements: str, attribute: str, colours: Mapping[str, str]) -> Iterable[str]:
    """Rules that give other colours to the elements with these values of an attribute, in upper or lower case."""
    for light, dark in colours.items():
        yield f'.graph {elements}[{attribute}="{light}" i]{{{attribute}:{dark}}}'
