"""Rows of tensorgrad/distributed, in a world of one; tests/distributed runs the same ops in several processes."""

import tensorgrad as tg
from cases.losses import normalized
from cases.table import Row, sample
from tensorgrad.autograd.engine import apply
from tensorgrad.distributed.functional import ScaleGradient
from tensorgrad.distributed.normalization import sync_batch_norm


def synchronised(x, *wb):
    weight, bias = [*map(tg.as_tensor, wb), None, None][:2]
    return sync_batch_norm(tg.as_tensor(x), None, None, weight, bias, 0.0, 1e-5)


ROWS = [
    Row(
        "distributed.all_reduce",
        lambda x: tg.distributed.functional.all_reduce(x),
        lambda x: x,
        None,
        [sample((3, 2)), sample(()), sample((0, 2))],
    ),
    Row(
        "scale_gradient",
        lambda x: apply(ScaleGradient, tg.as_tensor(x), tg.tensor(1.0, dtype=tg.as_tensor(x).dtype)),
        lambda x: x,
        None,
        [sample((3, 2)), sample(())],
    ),
    Row(
        "sync_batch_norm",
        synchronised,
        normalized,
        lambda torch, x, *wb: torch.nn.functional.batch_norm(x, None, None, *wb, training=True),
        [sample((4, 2)), sample((4, 2), (2,), (2,)), sample((2, 2, 2, 3), (2,), (2,))],
        special=False,
    ),
]
