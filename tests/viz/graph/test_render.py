"""Layout programs: which one is found, what each is fed, and what is said when there is none or it fails."""

import shutil
import struct
import sysconfig

import pytest

import tensorgrad as tg
from tensorgrad.viz.graph.layout import render as rendering
from tensorgrad.viz.graph.layout.render import RenderError, find_program, render

TINY = 'digraph { a [label="z = x ∗ w"] }'


@pytest.fixture(name="bare")
def bare_machine(monkeypatch, tmp_path):
    """A machine with an empty PATH and an empty folder of scripts; returns how to put a program there."""
    path, scripts = tmp_path / "path", tmp_path / "scripts"
    path.mkdir()
    scripts.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(scripts))

    def install(name, body, folder=path):
        program = folder / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        return str(program)

    install.scripts = scripts
    return install


def test_dot_goes_first_then_graphviz_pure_on_path_then_beside_python(bare):
    beside = bare("graphviz-pure", "exit", bare.scripts)
    assert find_program() == beside
    pure = bare("graphviz-pure", "exit")
    assert find_program() == pure
    dot = bare("dot", "exit")
    assert find_program() == dot


def test_neither_program_is_an_error_that_says_how_to_get_one(bare):
    loss = tg.ones(2, requires_grad=True).sum()
    drawing = tg.viz.graph(loss)
    with pytest.raises(
        RenderError, match=r"no program that lays out graphs is installed(.|\n)*pip install graphviz-pure"
    ):
        drawing.svg  # noqa: B018
    with pytest.raises(RenderError):
        drawing.save("unwritten.png")
    assert drawing.dot.startswith("digraph")


def test_without_a_program_notebooks_pages_and_terminals_still_show_the_graph(bare):
    w = tg.ones(2, requires_grad=True)
    w.name = "w"
    loss = (w * 3.0).sum()
    drawing = tg.viz.graph(loss)
    assert drawing._repr_svg_().startswith("<svg")
    assert "w (2,)" in tg.viz.text(loss)
    assert drawing.html.count("pip install graphviz-pure") == 1


def test_dot_is_fed_the_text_as_it_is(bare):
    bare("dot", "exec /bin/cat")
    assert render(TINY, "svg") == render(TINY, "png") == TINY.encode()


def test_graphviz_pures_png_gets_signs_that_its_fonts_have(bare):
    bare("graphviz-pure", "exec /bin/cat", bare.scripts)
    assert render(TINY, "svg") == TINY.encode()
    assert render(TINY, "png") == TINY.replace("∗", "*").encode()


def test_a_failing_program_is_quoted(bare):
    bare("dot", "echo 'syntax error in line 1' >&2; exit 1")
    with pytest.raises(RenderError, match=r"the layout failed: syntax error in line 1\n  program: '"):
        render(TINY, "svg")


def test_a_layout_without_end_is_given_up(bare, monkeypatch):
    monkeypatch.setattr(rendering, "TIMEOUT", 0.1)
    bare("dot", "exec /usr/bin/tail -f /dev/null")
    with pytest.raises(RenderError, match=r"no layout within 0\.1 seconds(.|\n)*smaller part"):
        render(TINY, "svg")


@pytest.mark.parametrize("name", ["dot", "graphviz-pure"])
def test_both_programs_draw_text_layers_and_arrows(name, monkeypatch):
    program = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    if program is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setattr(rendering, "find_program", lambda: program)
    w = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="layer.weight")
    loss = (tg.ones(3, 2) @ w.T).relu().sum()
    svg = tg.viz.graph(loss).svg
    for text in (
        ">layer.weight</text>",
        ">u₃ = max(u₂, 0)</text>",
        "∂u₃/∂u₂ = [u₂ &gt; 0]",
        ">loss = 9</text>",
        ">layer</text>",
    ):
        assert text in svg, text
    assert tg.viz.graph(loss).png.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.skipif(shutil.which("dot") is None, reason="dot is not installed")
def test_a_tall_png_has_half_the_resolution_and_one_without_readable_text_is_refused():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)

    def drawing(ops):
        h = w
        for _ in range(ops):
            h = h * w
        return tg.viz.graph(h.sum(), fold=False)

    def size(png):
        return struct.unpack(">II", png[16:24])

    (wide, short), (narrow, tall) = size(drawing(40).png), size(drawing(110).png)
    assert wide / narrow > 1.5, "half the resolution, of longer numbers"
    assert short < tall < 32_767
    with pytest.raises(RenderError, match=r"more than 32,767 pixels(.|\n)*fix: save \.html or \.svg"):
        drawing(400).save("unwritten.png")
