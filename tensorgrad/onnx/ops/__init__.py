"""The handlers of ONNX's ops, one file per family: `tensorgrad.onnx.table` explains what one is."""

from tensorgrad.onnx.ops import (
    attention,
    control,
    convolution,
    creation,
    elementwise,
    indexing,
    losses,
    normalization,
    pooling,
    products,
    recurrent,
    reductions,
    resizing,
    sampling,
    shapes,
)
