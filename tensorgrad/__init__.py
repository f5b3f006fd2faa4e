"""tensorgrad: reverse-mode automatic differentiation that can be read, trained with, and looked at.

`import tensorgrad as tg` gives everything: tensors and their functions here, networks in `tg.nn`, drawings in `tg.viz`.
Each family of ops names its public functions in its own `__all__`.
"""

import importlib
from typing import Any

import numpy as _np

from tensorgrad.compiler import compile
from tensorgrad.creation import (
    arange,
    eye,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from tensorgrad.engine import enable_grad, is_grad_enabled, no_grad, observe, set_grad_enabled
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, RangeError, ShapeError, TensorgradError
from tensorgrad.interop import from_dlpack, from_numpy
from tensorgrad.ops.activations import *
from tensorgrad.ops.arithmetic import *
from tensorgrad.ops.comparison import *
from tensorgrad.ops.convolution import *
from tensorgrad.ops.dropout import *
from tensorgrad.ops.indexing import *
from tensorgrad.ops.linear import *
from tensorgrad.ops.normalization import *
from tensorgrad.ops.operands import *
from tensorgrad.ops.pooling import *
from tensorgrad.ops.reductions import *
from tensorgrad.ops.shapes import *
from tensorgrad.ops.softmax import *
from tensorgrad.ops.transcendental import *
from tensorgrad.random import default_generator, manual_seed
from tensorgrad.storage import StorageError, load, load_metadata, save
from tensorgrad.tensor import Tensor
from tensorgrad.transforms import GradientError, grad, gradcheck, hessian, hvp, jacobian, vjp

__version__ = "0.1.0"

float16, float32, float64 = (_np.dtype(t) for t in (_np.float16, _np.float32, _np.float64))
int32, int64, uint8 = (_np.dtype(t) for t in (_np.int32, _np.int64, _np.uint8))
bool_ = _np.dtype(_np.bool_)


def __getattr__(name: str) -> Any:
    if name in ("nn", "viz"):
        return importlib.import_module(f"tensorgrad.{name}")
    raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")
