"""The search for private words: what it finds, where, and what it leaves alone."""

import pytest

from tools import words

PROGRAM = '''\
"""Text of a module.

A room of the package.
"""

motion = 1  # ordinary
twin: int = 2


class FloorPlan:
    def take_pieces(self, youngest):
        # The values are walked
        # back from the end.
        self._thunk = "no rubbish is aside"
        return np.floor(youngest) + math.floor(2.5)  # turned into a whole number
'''


@pytest.fixture
def file(tmp_path):
    def write(text, name="tensorgrad/kernels/some.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return [(line, word) for line, word, _ in words.finds(path, tmp_path)]

    return write


def test_every_kind_of_place_is_searched(file):
    assert file(PROGRAM) == [
        (3, "room"),
        (6, "motion"),
        (7, "twin"),
        (10, "FloorPlan"),
        (11, "take_pieces"),
        (11, "youngest"),
        (12, "walked # back"),
        (14, "_thunk"),
        (14, "aside"),
        (14, "rubbish"),
    ]


def test_pages_and_names_of_files_are_searched(file):
    assert file("# A page\n\nThe walk\nback, once.", "docs/page.md") == [(3, "walk back")]
    assert file("x = 1\n", "tensorgrad/launch_thunks.py") == [(1, "launch_thunks")]


@pytest.mark.parametrize(
    "text",
    [
        "x = np.floor(y) + tg.floor_divide(a, b)  # the floor of x",
        "def floor(x): ...",
        "# The list is turned into a tuple, and set aside.",
        "seen = set()",
        "def holds_tensors(x): ...",
        "bedroom, apiece, marker, bathrooms = 1, 2, 3, 4",
    ],
)
def test_ordinary_words_are_left_alone(file, text):
    assert file(text) == []


def test_a_word_that_is_private_in_some_folders_only(file):
    assert file("words = 1\n", "tensorgrad/kernels/some.py") == [(1, "words")]
    assert file("words = 1\n", "viz/some.py") == []


def test_every_exception_has_a_reason():
    assert all(use.reason and use.pattern for use in words.ORDINARY)
