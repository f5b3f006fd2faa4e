"""Tables in plain text: every cell stands below its head, and narrow tables lose what may be lost."""

import random

from tensorgrad.system.columns import columns
from tensorgrad.system.table import align, rule

ROWS = [("layer", "size", "note"), ("conv1.weight", "150", "a"), ("重み", "7", "bb")]


def test_cells_are_aligned_in_columns_of_the_terminal():
    assert align(ROWS, "lrl") == ["layer         size  note", "conv1.weight   150  a", "重み             7  bb"]
    assert rule(align(ROWS, "lrl")) == "─" * len("layer         size  note")


def test_a_table_fits_the_width_and_leaves_out_optional_columns_first():
    assert align(ROWS, "lrl", width=18, optional=1) == [
        "layer         size",
        "conv1.weight   150",
        "重み             7",
    ]
    assert align(ROWS, "lrl", width=17, optional=1)[1] == "conv1.weig…   150"
    assert align(ROWS, "lrl", width=22)[1] == "conv1.wei…   150  a"


def test_no_line_is_wider_than_asked_for():
    rng = random.Random(0)
    for _ in range(200):
        rows = [["".join(rng.choices("ab 重", k=rng.randrange(12))) for _ in range(3)] for _ in range(4)]
        width, optional = rng.randrange(4, 40), rng.randrange(3)
        assert max(map(columns, align(rows, "lrr", width, optional))) <= width
