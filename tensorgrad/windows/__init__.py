"""Windows of convolution and pooling: one parameter object, and every formula that follows from it. Integers alone.

A public function turns what users pass into a `Window`: `convolution` and `pooling` check each argument, once. The op
keeps the window, its gradients are made with the same one, and a kernel's plan reads from it what it needs.

All of it works per spatial dimension, for any number of them. "Dumoulin & Visin, A guide to convolution arithmetic for
deep learning (2016)" draws each of these formulas.
"""

from tensorgrad.windows.arguments import (
    LARGEST as LARGEST,
    as_tuple as as_tuple,
    check_axes as check_axes,
    check_channels as check_channels,
    conv_padding as conv_padding,
    convolution as convolution,
    convolution_arguments as convolution_arguments,
    pooling as pooling,
    pooling_arguments as pooling_arguments,
    remembered as remembered,
    transposed_arguments as transposed_arguments,
    transposed_convolution as transposed_convolution,
)
from tensorgrad.windows.shapes import (
    Shapes as Shapes,
    check_pooled as check_pooled,
    convolution_shapes as convolution_shapes,
)
from tensorgrad.windows.window import Pads as Pads, Phase as Phase, Sizes as Sizes, Window as Window, tiling as tiling
