"""Which questions a sheet asks: a part of those that can be answered, about as many different ops as there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tensorgrad.viz.exercise.blank import MOST, Blank
from tensorgrad.viz.exercise.questions.numbers import number_questions
from tensorgrad.viz.exercise.questions.quantities import Quantities
from tensorgrad.viz.exercise.questions.question import Question
from tensorgrad.viz.exercise.questions.rules import rule_questions
from tensorgrad.viz.exercise.questions.shapes import shape_questions
from tensorgrad.viz.exercise.scene import Scene


def choose(scene: Scene, part: float, seed: int) -> list[Blank]:
    """The blanks of a sheet, in the order of the solution; equal arguments give equal blanks.

    Args:
        scene: what is drawn.
        part: the fraction of all questions to ask, from 0 to 1; at most `MOST` are asked.
        seed: of the choice.
    """
    quantities = Quantities(scene)
    candidates = [*rule_questions(scene), *number_questions(scene, quantities), *shape_questions(scene)]
    wanted = min(max(round(part * len(candidates)), int(part > 0)), MOST)
    chosen: list[Question] = []
    for question in _varied(candidates, seed):
        if len(chosen) == wanted:
            break
        if quantities.solvable([q.places[0] for q in (*chosen, question) if q.kind not in ("rule", "shape")]):
            chosen.append(question)
    chosen.sort(key=lambda question: question.order)
    numbering = {place: number for number, question in enumerate(chosen) for place in question.places}
    return [question.blank(numbering) for question in chosen]


def _varied(candidates: list[Question], seed: int) -> Iterator[Question]:
    """In random order, but the second question of a kind about an op comes after the first ones of all others."""
    rng = np.random.default_rng(seed)
    shuffled = [candidates[k] for k in rng.permutation(len(candidates))]
    seen: Counter[tuple[str, str]] = Counter()
    rounds = []
    for question in shuffled:
        rounds.append(seen[question.kind, question.topic])
        seen[question.kind, question.topic] += 1
    yield from (shuffled[k] for k in np.argsort(rounds, kind="stable"))
