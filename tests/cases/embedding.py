"""Rows of tensorgrad/ops/layers/embedding.py."""

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from cases.table import Row, bad, sample

NUMBERS = np.array([[1, 0, 1], [3, 3, 1]])


def weighed(torch, w, input, **options):
    return torch.nn.functional.embedding(torch.tensor(input), w, **options)


ROWS = [
    Row(
        "embedding",
        lambda w, input, **options: tg.embedding(input, w, **options),
        lambda w, input, **options: (
            np.stack([w[k] for k in input.ravel()]).reshape(*input.shape, w.shape[1])
            if input.size
            else np.zeros((*input.shape, w.shape[1]))
        ),
        weighed,
        [
            sample((4, 2), input=NUMBERS),
            sample((4, 2), input=np.array(2)),
            sample((4, 2), input=np.zeros((0, 3), int), smooth=False),
            sample((4, 2), input=NUMBERS, padding_idx=1, smooth=False),
            sample((4, 2), input=NUMBERS, padding_idx=-1, scale_grad_by_freq=True, smooth=False),
        ],
        errors=[
            bad(lambda: tg.embedding([4], tg.zeros(4, 2)), tg.RangeError, "embedding", "in [0, 4)"),
            bad(lambda: tg.embedding([-1], tg.zeros(4, 2)), tg.RangeError, "embedding", "in [0, 4)"),
            bad(lambda: tg.embedding([0.5], tg.zeros(4, 2)), tg.DTypeError, "embedding", "integers", "astype"),
            bad(lambda: tg.embedding([0], tg.zeros(4)), tg.ShapeError, "embedding", "(rows, D), got (4,)"),
            bad(lambda: tg.embedding([0], tg.zeros(4, 2), 4), tg.ArgumentError, "padding_idx", "[-4, 4), got 4"),
            bad(lambda: tg.embedding([0], tg.zeros(4, 2), sparse=True), tg.ArgumentError, "gradients are dense"),
            bad(lambda: F.embedding_bag([[0]], tg.zeros(4, 2), mode="min"), tg.ArgumentError, "\"max\", got 'min'"),
            bad(lambda: F.embedding_bag([0], tg.zeros(4, 2)), tg.ShapeError, "(n,) with offsets"),
            bad(lambda: F.embedding_bag([0], tg.zeros(4, 2), [1]), tg.ArgumentError, "begin with 0"),
        ],
    ),
]
