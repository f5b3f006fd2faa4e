"""The exporters of tensorgrad's ops, one file per family: `writing.table` explains what one is."""

from tensorgrad.onnx.writing.ops import (
    elementwise,
    indexing,
    normalization,
    ordering,
    products,
    reductions,
    sampling,
    scattering,
    shapes,
    windows,
)
