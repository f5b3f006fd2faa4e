"""Exercise sheets: what is blank follows from what is left, nothing tells it, and a sheet can be made again."""

import contextlib
import html
import io
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sheets import GRAPHS, drawn, neuron, number, program

import tensorgrad as tg
from tensorgrad.viz.exercise.blank import MOST
from tensorgrad.viz.format import theme

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def drawings():
    return {name: drawn(run) for name, run in GRAPHS.items()}


# ------------------------------------------------------------------------------------------------------- answerability

FORWARD = {
    **{"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "power": np.power},
    **{"tanh": np.tanh, "exp": np.exp, "sin": np.sin, "square": np.square, "negative": np.negative, "log": np.log},
    **{"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: max(x, 0.0)},
}


class Student:
    """Computes with the numbers that a sheet shows, as a drawing writes them, and with nothing else."""

    def __init__(self, record, blanks):
        self.record = record
        hidden = {place for blank in blanks for place in blank.places}
        self.known = {place: self.shown(value) for place, value in self.numbers() if place not in hidden}
        self.inputs = {op.id: [e for e in record.edges if e.op == op.id] for op in record.ops}

    @staticmethod
    def shown(value):
        return float(theme.number(float(value)).replace("−", "-"))

    def numbers(self):
        for tensor in self.record.tensors:
            yield ("value", tensor.id), tensor.value
            if tensor.gradient:
                yield ("gradient", tensor.id), tensor.gradient.value
        for edge in self.record.edges:
            if edge.local is not None:
                yield ("local", edge.op, edge.operand), edge.local
            if edge.contribution:
                yield ("flow", edge.op, edge.operand), edge.contribution.value

    def get(self, *places):
        found = [self.known.get(place) for place in places]
        return None if None in found else found

    def solve(self, place):
        """The number at a place, from known ones; None if it can't be told yet."""
        kind, where = place[:2]
        if kind == "value":
            op = next((op for op in self.record.ops if op.output == where), None)
            given = op and self.get(*(("value", edge.tensor) for edge in self.inputs[op.id]))
            return FORWARD[op.name](*given) if given else None
        if kind == "gradient":
            edges = [e for e in self.record.edges if e.tensor == where and e.carries_gradient]
            terms = edges and self.get(*(("flow", e.op, e.operand) for e in edges))
            return sum(terms) if terms else None
        op = next(op for op in self.record.ops if op.id == where)
        if kind == "flow":
            given = self.get(("gradient", op.output), ("local", *place[1:]))
            return given[0] * given[1] if given else None
        edges = self.inputs[op.id]
        given = self.get(*(("value", edge.tensor) for edge in edges))
        return self.slope(op, [edge.operand for edge in edges].index(place[2]), given) if given else None

    @staticmethod
    def slope(op, position, given):
        def at(step):
            moved = [x + step * (k == position) for k, x in enumerate(given)]
            return float(FORWARD[op.name](*moved))

        return (at(1e-6) - at(-1e-6)) / 2e-6


@pytest.mark.seeds(40)
def test_what_is_blank_follows_from_what_is_left_in_the_order_of_the_questions(seed):
    drawing = drawn(program(seed))
    sheet = drawing.exercise(blank=[0.3, 0.6, 1.0][seed % 3], seed=seed)
    student = Student(drawing.record, sheet.blanks)
    for blank in sheet.blanks:
        if blank.value is not None:
            found = [number for place in blank.places if (number := student.solve(place)) is not None]
            assert found, blank.prompt
            assert min(abs(number - blank.value) for number in found) <= blank.tolerance, blank.prompt
            student.known |= dict.fromkeys(blank.places, student.shown(blank.value))


def test_a_number_that_stands_elsewhere_is_blank_there_too():
    """A sum passes its gradient on: whoever sees one of these numbers knows all of them."""
    w, b = number(0.7, "w"), number(0.2, "b")
    sheet = drawn(lambda: ((w * 3.0 + b).tanh()) ** 2).exercise(blank=1.0)
    places = next(blank.places for blank in sheet.blanks if "∂u₃/∂u₂" in blank.prompt and blank.kind == "product")
    values = dict(Student(sheet.drawing.record, []).numbers())
    same = [place for place, value in values.items() if value == values[places[0]]]
    assert len(same) >= 5
    assert set(places) == set(same)


def test_numbers_that_are_given_are_never_blank(drawings):
    for drawing in drawings.values():
        kinds = {tensor.id: tensor.kind for tensor in drawing.record.tensors}
        for blank in drawing.exercise(blank=1.0).blanks:
            for kind, where, *_ in blank.places:
                assert not (kind in ("value", "shape") and kinds[where] in ("parameter", "constant"))
                assert not (kind == "gradient" and kinds[where] == "output")


def test_a_difference_of_nearly_equal_numbers_is_no_fair_question():
    a = number(1.00042, "a")
    sheet = drawn(lambda: (a - 1.0) * 3.0).exercise(blank=1.0)
    assert "u₁" not in [blank.prompt for blank in sheet.blanks]  # 1 − 1 with the digits that are shown


# --------------------------------------------------------------------------------------------------------- the sheets


def texts(page):
    """The texts of the drawing, with those of blanks by their numbers."""
    figure = page[page.index("<figure") : page.index("</figure")]
    marks = re.findall(r'<tspan class="blank" data-blank="(\d+)"[^>]*>([^<]*)</tspan>', figure)
    return html.unescape(re.sub(r"<tspan.*?</tspan>", "", figure)), marks


@pytest.mark.parametrize("name", GRAPHS)
def test_the_drawing_holds_every_blank_and_no_answer(drawings, name):
    sheet = drawings[name].exercise(blank=1.0)
    rest, marks = texts(sheet.html)
    assert {int(digits) for digits, _ in marks} == set(range(1, len(sheet.blanks) + 1))
    for digits, text in marks:
        assert re.fullmatch(rf"\[{digits}\]_+", text)
    for blank in sheet.blanks:
        if blank.value is not None and len(blank.answer) > 5:
            assert blank.answer not in rest
        if blank.shape and blank.answer not in {str(t.shape) for t in shown_shapes(sheet)}:
            assert blank.answer not in rest
            assert "×".join(map(str, blank.shape[-2:])) not in re.findall(r"-> ([\d×]+)", rest)


def shown_shapes(sheet):
    hidden = {blank.places[0][1] for blank in sheet.blanks if blank.kind == "shape"}
    return [tensor for tensor in sheet.drawing.record.tensors if tensor.id not in hidden]


@pytest.mark.parametrize("name", GRAPHS)
def test_the_key_is_the_sheet_filled_in(drawings, name):
    sheet = drawings[name].exercise(blank=1.0)
    _, marks = texts(sheet.key_html)
    filled = {int(digits): text for digits, text in marks}
    for k, blank in enumerate(sheet.blanks, 1):
        written = filled[k].replace("&#160;", " ").replace("&gt;", ">").replace("&#45;", "-")
        assert written == f"[{k}] {blank.answer}"


def test_every_question_has_two_hints_and_a_name(drawings):
    for drawing in drawings.values():
        for blank in drawing.exercise(blank=1.0).blanks:
            assert blank.prompt
            assert blank.answer
            assert len(set(blank.hints)) == 2
            assert all(hint.strip(" .") for hint in blank.hints)
            if blank.kind == "rule":
                assert f"∂{'L' if '∂L' in blank.hints[1] else 'z'}" in blank.hints[1]  # the op's own letters


def test_parameters_that_a_shape_depends_on_are_given(drawings):
    """On the sheet itself, not only in a hint: the drawing doesn't show them."""
    given = {
        blank.about.partition(" = ")[2]: blank.given for blank in drawings["convolutions"].exercise(blank=1.0).blanks
    }
    pooling, convolution = (
        next(text for formula, text in given.items() if words in formula) for words in ("over each window", "∗ w")
    )
    assert pooling == "window 2×2 over 6×6, stride 2×2"
    assert "padding (1, 1) (1, 1)" in convolution


def test_a_hint_names_the_blank_that_it_needs():
    sheet = drawn(neuron).exercise(blank=1.0)
    number_of = {blank.prompt: k for k, blank in enumerate(sheet.blanks, 1) if blank.kind == "value"}
    (sum_,) = (blank for blank in sheet.blanks if blank.kind == "value" and blank.about.startswith("u₂ ="))
    assert f"u₁ = [{number_of['u₁']}]" in sum_.hints[1]


def test_a_seed_gives_the_same_sheet_again(drawings):
    drawing = drawings["shared"]
    first, again, other = (drawing.exercise(blank=0.4, seed=seed) for seed in (5, 5, 6))
    assert first.html == again.html
    assert first.key_html == again.key_html
    assert [b.places for b in first.blanks] != [b.places for b in other.blanks]


def test_the_part_that_is_blank():
    drawing = drawn(neuron)
    counts = [len(drawing.exercise(blank=part).blanks) for part in (0, 0.01, 0.4, 0.7, 1)]
    assert counts[:2] == [0, 1]
    assert counts == sorted(counts)
    assert counts[-1] == MOST
    kinds = Counter(blank.kind for blank in drawing.exercise(blank=0.4).blanks)
    assert set(kinds) == {"rule", "value", "local", "product", "sum"}
    assert "Nothing is left blank" in drawing.exercise(blank=0).html


def test_a_folded_module_is_not_asked_about():
    class Big(tg.nn.Module):
        def __init__(self):
            self.layers = tg.nn.ModuleList([tg.nn.Sequential(tg.nn.Linear(3, 3), tg.nn.Tanh()) for _ in range(30)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    model = Big()
    drawing = drawn(lambda: (model(tg.randn(2, 3)) ** 2).mean())
    sheet = drawing.exercise(blank=1.0)
    _, marks = texts(sheet.html)
    assert 0 < len(sheet.blanks) <= MOST
    assert {int(digits) for digits, _ in marks} == set(range(1, len(sheet.blanks) + 1))


def test_rules_are_asked_for_where_values_are_freed():
    loss = neuron()
    loss.backward()
    assert {blank.kind for blank in tg.viz.graph(loss).exercise(blank=1.0).blanks} <= {"rule", "value"}


def test_a_changed_gradient_is_given():
    w = number(0.7, "w")
    with tg.viz.trace() as step:
        h = w.tanh()
        h.register_hook(lambda g: g * 2)
        (h * h).backward()
    record = tg.viz.graph(step)
    tensor = next(t for t in record.record.tensors if t.name == "h" or t.symbol == "h")
    for blank in record.exercise(blank=1.0).blanks:
        assert ("gradient", tensor.id) not in blank.places


def test_files(tmp_path, drawings):
    sheet = drawings["neuron"].exercise(tmp_path / "new" / "sheet.html", key=tmp_path / "key.html")
    assert (tmp_path / "new" / "sheet.html").read_text(encoding="utf-8") == sheet.html
    assert (tmp_path / "key.html").read_text(encoding="utf-8") == sheet.key_html
    assert "://" not in re.sub(r"http://www.w3.org/\S*", "", sheet.html)
    assert sheet.save(tmp_path / "drawing.svg", tmp_path / "key.svg").read_text(encoding="utf-8") == sheet.svg
    assert texts(f"<figure>{sheet.key_svg}</figure>")[1] == texts(sheet.key_html)[1]
    assert sheet._repr_html_().startswith("<iframe")
    assert repr(sheet).startswith(f"<Exercise of {len(sheet.blanks)} blanks: ")


def test_one_blank_is_one_blank():
    w = tg.tensor([-1.0, 2.0], requires_grad=True, name="w")
    with tg.viz.trace() as step:
        w.log().sum().backward()
    assert repr(tg.viz.graph(step).exercise(blank=0.01)).startswith("<Exercise of 1 blank: 1 ")


REFUSED = {
    "blank above 1": ({"blank": 1.5}, tg.ArgumentError, r"blank must be in \[0, 1\], got 1.5"),
    "blank below 0": ({"blank": -0.1}, tg.ArgumentError, r"blank must be in \[0, 1\]"),
    "NaN": ({"blank": float("nan")}, tg.ArgumentError, r"blank must be in \[0, 1\]"),
    "blank a word": ({"blank": "all"}, tg.DTypeError, "blank must be a number"),
    "a negative seed": ({"seed": -1}, tg.ArgumentError, "seed must be an integer of at least 0"),
    "a suffix": ({"path": "sheet.pdf"}, tg.ArgumentError, "must end in .html or .svg"),
    "the key's suffix": ({"path": "sheet.html", "key": "key.txt"}, tg.ArgumentError, "must end in .html or .svg"),
    "a key alone": ({"key": "key.html"}, tg.ArgumentError, "path"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_calls_that_are_refused(case, drawings, tmp_path, monkeypatch):
    arguments, error, words = case
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        drawings["neuron"].exercise(**arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_without_a_question():
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with pytest.raises(tg.GraphError, match="nothing in this graph can be asked for"):
        tg.viz.graph(w[0]).exercise()


def test_the_teachers_path_is_as_the_page_says(tmp_path, monkeypatch):
    """Word for word, in an empty folder."""
    page = (ROOT / "docs" / "drawing.md").read_text(encoding="utf-8")
    section = page[page.index("## A teacher's path") :].partition("\n## ")[0]
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "page"}
    found = re.findall(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", section, re.DOTALL | re.MULTILINE)
    assert len(found) == 4
    for code, printed in found:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, "drawing.md", "exec"), space)
        assert said.getvalue() == printed
    names = {"sheet", "key", *(f"{kind}{group}" for kind in ("sheet", "key") for group in (1, 2, 3))}
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.html" for name in names}
