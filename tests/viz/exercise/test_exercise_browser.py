"""The page of an exercise in a browser: keys are accepted and wrong answers refused, hints, score, paper."""

import json
import re

import numpy as np
import pytest
from browser import needs_browser, play, printed
from cases import ROWS
from sheets import GRAPHS, drawn, many_convolutions, neuron, opened

import tensorgrad as tg
from tensorgrad.viz.exercise import writing
from tensorgrad.viz.exercise.blank import MOST
from tensorgrad.viz.exercise.questions.rules import rule_questions
from tensorgrad.viz.exercise.scene import Scene

pytestmark = needs_browser


@pytest.fixture(scope="module")
def sheets():
    return {name: drawn(run).exercise(blank=1.0) for name, run in GRAPHS.items()}


# What of a blank's key is wrong: every number by 3 %, by its sign and by an offset; formulas too; one size of a shape.
JUDGE = """
  const { check } = inner;
  const vanishes = ({ points }) => points.slopes.flat(Infinity).every((slope) => slope === 0);
  const wrongs = (blank) => {
    const key = blank.answer;
    if (blank.kind === "shape") return [
      key.replace(/\\d+/, (size) => Number(size) + 1),
      key.replace(/\\d+,/, ""),
      "7",
    ];
    const scaled = [`1.03·(${key})`, `−(${key})`, `(${key})/2`];
    const moved = [`(${key}) + 0.05·(1 + |${key}|)`];
    const isZero = blank.kind === "rule" ? vanishes(blank) : blank.value === 0;
    const isMatrix = blank.kind === "rule" && Array.isArray(blank.points.slopes[0]);
    return isZero ? moved : [...scaled, ...(isMatrix ? [] : moved)];
  };
  const judged = (blanks) => blanks.map((blank) => ({
    prompt: `${blank.prompt} = ${blank.answer}`,
    key: check(blank, blank.answer),
    accepted: wrongs(blank).filter((text) => check(blank, text).right),
    unread: wrongs(blank).filter((text) => check(blank, text).unread),
  }));
"""


def rules_of_ops():
    """A question for every rule of an elementwise op that can be asked, by the name of the op."""
    rng, found = np.random.default_rng(0), {}
    for row in ROWS:
        inputs = row.samples[0].inputs
        if not row.differentiable or not inputs or not all(isinstance(x, tuple) and x == () for x in inputs):
            continue
        count = len(inputs)
        domains = [row.domains[min(k, len(row.domains) - 1)] for k in range(count)]
        try:
            xs = [tg.tensor(np.asarray(domain(rng, ()), np.float64), requires_grad=True) for domain in domains]
            for letter, x in zip("abcd", xs, strict=False):
                x.name = letter
            drawing = tg.viz.graph(row.function(*xs, **row.samples[0].params))
        except (tg.TensorgradError, TypeError):
            continue
        for question in rule_questions(Scene(drawing.record, ())):
            found.setdefault((question.topic, question.blank({}).prompt), question.blank({}))
    return found


def test_the_page_accepts_every_key_and_refuses_what_is_wrong(sheets, tmp_path):
    """Of the sheets, and of the rule of every op."""
    rules = rules_of_ops()
    names = {name for name, _ in rules}
    assert len(names) >= 45
    assert {"sigmoid", "tanh", "relu", "log", "divide", "power", "leaky_relu", "silu", "maximum", "arctan"} <= names
    asked = [(name, blank) for name, sheet in sheets.items() for blank in sheet.blanks]
    asked += [(name, blank) for (name, _), blank in rules.items()]
    script = JUDGE + f"return judged({json.dumps([writing.plain(1, blank) for _, blank in asked])});"
    judged = play(opened(sheets["neuron"].html), script, tmp_path)
    for question, (name, _) in zip(judged, asked, strict=True):
        assert question["key"] == {"right": True, "says": ""}, (name, question)
        assert question["accepted"] == question["unread"] == [], (name, question)


def plain(sheet, has):
    """The first question of a sheet for which `has` holds, as its page takes it."""
    return writing.plain(1, next(blank for blank in sheet.blanks if has(blank)))


def test_what_is_said_of_a_wrong_answer(sheets, tmp_path):
    double = plain(sheets["neuron"], lambda blank: blank.kind == "rule" and blank.answer.startswith("2"))
    value = plain(sheets["neuron"], lambda blank: blank.answer == "−0.6")
    shape = plain(sheets["perceptron"], lambda blank: blank.kind == "shape")
    matrix = plain(sheets["perceptron"], lambda blank: blank.answer.endswith("ᵀ · u₂"))
    own, upstream = double["answer"], matrix["points"]["names"][0]
    says = [
        (double, f"−({own})", "The sign is wrong."),
        (double, f"2·{own}", "It is 2 times the derivative."),
        (double, "1", "it gives 1; the slope there is"),
        (value, "−0,6", "Right"),
        (value, "0,6", "The sign is wrong."),
        (value, "−0.61", "Close: take all the digits"),
        (value, "5", "Not this number."),
        (value, "w", "“w” isn't known: numbers are enough here."),
        (shape, "(5, 4)", "The right sizes, in another order."),
        (shape, "(4,)", "It has 1 axis, not as many as the result."),
        (shape, "(4, 6)", "Not these sizes."),
        (shape, "four", "“four” isn't a shape: write its sizes, as in (4, 3)."),
        *((shape, text, "Right") for text in ("4x5", "4, 5", "[4,5]", "4 × 5")),
        (matrix, f"u₂ᵀ · {upstream}", "It is transposed."),
        (matrix, f"{upstream} · u₂", "doesn't fit: transpose or exchange them"),
        (matrix, "u₂", "compare the sizes"),
        (matrix, f"{upstream}ᵀ·u₂·1.5", "It is 1.5 times the derivative."),
        (matrix, f"(u_2.T @ {upstream}).T", "Right"),
    ]
    script = f"""
      const asked = {json.dumps([question[:2] for question in says])};
      const verdicts = asked.map(([blank, text]) => inner.check(blank, text));
      return verdicts.map(({{ right, says }}) => (right ? "Right" : says));
    """
    for (_, text, words), said in zip(says, play(opened(sheets["neuron"].html), script, tmp_path), strict=True):
        assert words in said, text


# ----------------------------------------------------------------------------------------------------------- the sheet


def test_answers_hints_and_score(sheets, tmp_path):
    sheet = sheets["neuron"]
    script = """
      const states = () => all("#questions li").map((row) => row.dataset.state ?? "open").slice(0, 4);
      const state = () => [textOf("#score"), states()];
      const answer = (k, text) => {
        $(`#answer-${k}`).focus();
        type(`#answer-${k}`, text);
        press("Enter", $(`#answer-${k}`));
      };
      const marks = () => all('.blank[data-blank="1"]').map((mark) => mark.textContent);
      const told = [state(), marks()];
      answer(0, "12");
      told.push(state());
      answer(0, inner.blanks[0].answer);
      told.push(state(), marks(), document.activeElement.id, $("#answer-0").readOnly);
      for (let k = 0; k < 3; k++) {
        click("#questions li:nth-child(2) .hint");
        told.push(textOf("#questions li:nth-child(2) .says"));
      }
      told.push(state(), $("#answer-1").value);
      answer(2, "(((");
      told.push(state()[1], $("#answer-2").getAttribute("aria-invalid"));
      send($('.blank[data-blank="4"]'), new MouseEvent("click", { bubbles: true }));
      const isNow = all(".blank.now").every((mark) => mark.dataset.blank === "4");
      told.push(document.activeElement.id, all(".blank.now").length > 0, isNow);
      for (const [k, blank] of inner.blanks.entries()) answer(k, blank.answer);
      told.push(textOf("#score"), { ...document.body.dataset });
      const controls = all("button:not([hidden]), input");
      told.push(controls.filter((part) => !part.textContent && !part.labels?.length).length);
      return told;
    """
    told = play(opened(sheet.html), script, tmp_path)
    count = len(sheet.blanks)
    assert told[0] == [f"0 of {count} right", ["open"] * 4]
    assert told[1] == ["[1]____"]
    assert told[2] == [f"0 of {count} right", ["wrong", "open", "open", "open"]]
    assert told[3] == [f"1 of {count} right", ["right", "open", "open", "open"]]
    assert told[4:7] == [[sheet.blanks[0].answer], "answer-1", True]
    assert told[7:10] == [*sheet.blanks[1].hints, ""]
    assert told[10] == [f"1 of {count} right, 2 hints, 1 shown", ["right", "shown", "open", "open"]]
    assert told[11] == sheet.blanks[1].answer
    assert told[12:14] == [["right", "shown", "unread", "open"], "true"]
    assert told[14:17] == ["answer-3", True, True]
    assert told[17] == f"{count - 1} of {count} right, 2 hints, 1 shown"
    assert told[18] == {"right": str(count - 1), "hints": "2", "shown": "1"}
    assert told[19] == 0, "every control has a name"


def test_the_key_shows_the_answers(sheets, tmp_path):
    sheet = sheets["shared"]
    script = 'return [textOf("#score"), all("input").map((input) => input.value), all("button:not([hidden])").length];'
    assert play(sheet.key_html, script, tmp_path) == ["Answers", [blank.answer for blank in sheet.blanks], 0]


@pytest.mark.parametrize("run", [neuron, many_convolutions])
def test_it_is_printed_on_one_page(run, tmp_path):
    sheet = drawn(run, fold=False).exercise(blank=1.0)
    assert len(sheet.blanks) == MOST
    assert len(re.findall(rb"/Type\s*/Page\b", printed(sheet.html, tmp_path))) == 1


NAMES = ("<b>w</b>", "e", "σ", "log", "sum", "if", "Σ", "|x|", "w.T", "α β", "2", "x²", "∂L", "(h)", "&amp;", "سلام")


def test_names_may_be_anything(sheets, tmp_path):
    """Text, and no markup; as part of a formula they go before functions and signs."""
    xs = [tg.tensor(0.3 + k / 50, requires_grad=True, name=name, dtype="float64") for k, name in enumerate(NAMES)]
    total = sum((tg.nn.functional.elu(x) * x.tanh() for x in xs[1:]), xs[0].exp() * xs[0])
    drawing = tg.viz.graph(total, fold=False)
    rules = [question.blank({}) for question in rule_questions(Scene(drawing.record, ()))]
    unread = {"if", "2"}  # a rule with them is not asked for
    written = {name.rpartition("w.")[2] for name in NAMES}  # as formulas write conv1.weight
    assert {name for blank in rules for name in blank.points.names} & {*written, *unread} == written - unread
    script = f"""
      const blanks = {json.dumps([writing.plain(1, blank) for blank in rules])};
      const refused = blanks.filter((blank) => !inner.check(blank, blank.answer).right).map(({{ answer }}) => answer);
      return [all("b:not(.digit)").length, inner.blanks.length, refused];
    """
    bold, count, refused = play(opened(drawing.exercise(blank=1.0).html), script, tmp_path)
    assert (bold, count) == (0, MOST)
    assert refused == []
