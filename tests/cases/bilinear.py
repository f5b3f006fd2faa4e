"""Rows of tensorgrad/ops/layers/bilinear.py."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, sample

ROWS = [
    Row(
        "bilinear",
        tg.bilinear,
        lambda x, y, w, *b: np.stack([((x @ part) * y).sum(-1) for part in w], -1) + (b[0] if b else 0),
        "nn.functional.bilinear",
        [
            sample((4, 2), (4, 3), (2, 2, 3)),
            sample((2, 4, 2), (2, 4, 3), (2, 2, 3), (2,)),
            sample((2,), (1,), (3, 2, 1), (3,)),
            sample((0, 2), (0, 3), (2, 2, 3), (2,)),
        ],
        special=False,
        errors=[
            bad(lambda: tg.bilinear(tg.zeros(2, 3), tg.zeros(3, 3), tg.zeros(1, 3, 3)), tg.ShapeError, "(K, I, J)"),
            bad(lambda: tg.bilinear(tg.zeros(2, 3), tg.zeros(2, 2), tg.zeros(1, 3, 3)), tg.ShapeError, "(K, I, J)"),
        ],
    )
]
