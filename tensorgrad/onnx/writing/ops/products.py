"""Products of matrices, and what else ONNX has of linear algebra."""

from __future__ import annotations

from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.table import Applied, exports
from tensorgrad.ops.linalg.determinants import Det
from tensorgrad.ops.linear import Einsum, Linear, MatMul


@exports(MatMul)
def matmul(g: Graph, call: Applied) -> str:
    """MatMul."""
    return g.add("MatMul", *call.inputs)


@exports(Linear)
def linear(g: Graph, call: Applied) -> str:
    """Gemm."""
    return g.add("Gemm", *call.inputs, transB=1)


@exports(Einsum)
def einsum(g: Graph, call: Applied) -> str:
    """Einsum."""
    return g.add("Einsum", *call.inputs, equation=call.subscripts)


@exports(Det)
def det(g: Graph, call: Applied) -> str:
    """Det."""
    return g.add("Det", call.x)
