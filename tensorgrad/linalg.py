"""Linear algebra under PyTorch's names, `tg.linalg.solve(A, b)`: with gradients, for batches of matrices."""

from tensorgrad.ops.linalg.determinants import det, slogdet
from tensorgrad.ops.linalg.equations import inv, solve
from tensorgrad.ops.linalg.factorizations import cholesky, eigh, eigvalsh, qr, svd, svdvals
from tensorgrad.ops.linalg.least_squares import lstsq, matrix_rank, pinv
from tensorgrad.ops.linalg.norms import cond, matrix_norm, norm, vector_norm
from tensorgrad.ops.linalg.products import (
    diagonal,
    linalg_cross as cross,
    linalg_vander as vander,
    matrix_power,
    multi_dot,
    vecdot,
)
from tensorgrad.ops.linear import matmul

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "vander",
    "vecdot", "vector_norm",
]  # fmt: skip
