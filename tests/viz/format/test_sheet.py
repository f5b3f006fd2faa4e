"""Drawings and pages in the light and in the dark: every colour has its counterpart, and every text can be read."""

import re
from pathlib import Path

import pytest
from networks import SigmoidNetwork, loss_of

import tensorgrad as tg
from tensorgrad.viz.format import sheet, theme
from tensorgrad.viz.graph import column
from tensorgrad.viz.page import assembly

VIZ = Path(tg.viz.__file__).parent
STYLES = [theme.OP, theme.FAILED, theme.MODULE, *theme.TENSORS.values()]
CANVASES = ["#FFFFFF", theme.LAYER["fillcolor"]]
READABLE, VISIBLE = 4.5, 3.0  # the least contrast of text, and of a line, as WCAG 2.2 has them


def luminance(colour):
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def texts():
    """Each text of a drawing, and what is behind it."""
    for style in STYLES:
        yield from ((ink, style.face) for ink in (style.ink, style.small))
    yield from ((style.gradient, style.face) for style in (*theme.TENSORS.values(), theme.MODULE))
    yield from ((ink, canvas) for ink in (theme.GREY, theme.GRADIENT, theme.GOOD, theme.INK) for canvas in CANVASES)
    yield theme.INK, theme.YELLOW


@pytest.mark.parametrize(("ink", "face"), sorted(set(texts())))
def test_every_text_of_a_drawing_can_be_read(ink, face):
    assert contrast(ink, face) >= READABLE
    assert contrast(sheet.DARK_TEXT[ink], sheet.DARK_SHAPES[face]) >= READABLE


def test_every_lane_is_seen_and_the_strongest_best():
    for lanes, canvases in [
        (theme.DECADES, CANVASES),
        ([sheet.DARK_SHAPES[lane] for lane in theme.DECADES], [sheet.DARK_SHAPES[c] for c in (*CANVASES, "white")]),
    ]:
        for canvas in canvases:
            contrasts = [contrast(lane, canvas) for lane in lanes]
            assert contrasts == sorted(contrasts, reverse=True)
            assert contrasts[-1] >= VISIBLE


def test_no_colour_of_a_drawing_is_forgotten_in_the_dark():
    record = tg.viz.graph(loss_of(SigmoidNetwork(), (3, 64), 10), check=True).record
    written = tg.viz.graph(loss_of(SigmoidNetwork(), (3, 64), 10), pictures=True).dot + column.draw(record)
    colours = {colour.upper() for colour in re.findall(r"#[0-9A-Fa-f]{6}\b", written.replace(sheet.sheet(), ""))}
    known = {colour.upper() for colour in (*sheet.DARK_TEXT, *sheet.DARK_SHAPES)}
    assert colours - known <= {"#FDFDFB"}, "a picture covers cells of this colour"
    assert len(colours) > 8


def test_a_svg_is_dark_where_the_reader_prefers_it_and_light_on_paper():
    rules = sheet.sheet()
    dark = rules[rules.index("@media screen and (prefers-color-scheme:dark){") :]
    assert f'.graph text[fill="{theme.INK}" i]{{fill:{sheet.DARK_TEXT[theme.INK]}}}' in dark
    assert dark.count("{") == dark.count("}")
    assert column.draw(tg.viz.graph(tg.ones(2, requires_grad=True).sum()).record).count(rules) == 1


# -------------------------------------------------------------------------------------------------------------- pages


def variables(css):
    return dict(re.findall(r"--([\w-]+): (#\w{6});", css))


def test_every_text_of_a_page_can_be_read():
    screen = assembly.shared("base.css").split("@media print")[0]
    light, dark = screen.split("@media screen and (prefers-color-scheme: dark)")
    for colours in (variables(light), variables(light) | variables(dark)):
        for ink in ("ink", "quiet", "accent", "good", "bad"):
            for face in ("paper", "card", "faint", "mark"):
                assert contrast(colours[ink], colours[face]) >= READABLE, (ink, face)
        assert contrast(colours["card"], colours["accent"]) >= READABLE, "the main button"
    assert variables(light).keys() - variables(dark).keys() <= {"found"}


def test_every_variable_that_a_page_uses_is_defined():
    styles = [path for suffix in ("css", "js", "html") for path in VIZ.rglob(f"*.{suffix}")]
    written = "\n".join(path.read_text(encoding="utf-8") for path in styles)
    used = set(re.findall(r"var\(--([\w-]+)", written))
    defined = set(re.findall(r"--([\w-]+)\"?:", written)) | set(re.findall(r'setProperty\("--([\w-]+)', written))
    assert used <= defined
    assert {"ink", "card", "gradient"} <= used
