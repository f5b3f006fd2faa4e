"""Products of matrices."""

import tensorgrad as tg
from tensorgrad.onnx.reading.limits import check_broadcast
from tensorgrad.onnx.table import op


@op("MatMul")
def matmul(x, y):
    check_broadcast("MatMul", (*x.shape[:-1], 1), (*y.shape[:-2], 1, y.shape[-1]))
    return tg.matmul(x, y)


@op("Gemm")
def gemm(a, b, c=None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0, broadcast: int = 1):
    x = a.T if transA else a
    if transB and c is not None and c.ndim == 1 and alpha == beta == 1 and c.shape[0] == b.shape[0]:
        return tg.nn.functional.linear(x, b, c)
    z = tg.matmul(x, b.T if transB else b)
    z = z if alpha == 1 else z * alpha
    return z if c is None else z + (c if beta == 1 else c * beta)


@op("Einsum")
def einsum(*xs, equation: str):
    return tg.einsum(equation, *xs)


@op("Det")
def det(x):
    return tg.linalg.det(x)
