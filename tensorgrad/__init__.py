"""tensorgrad: reverse-mode automatic differentiation to read, to train networks with, and to visualize.

`import tensorgrad as tg` imports tensors and their functions; networks are in `tg.nn`, drawings in `tg.viz`. The
module of each family of ops lists its public functions in `__all__`.
"""

from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

import numpy as _np

from tensorgrad.arrays.memory import empty_cache as empty_cache
from tensorgrad.arrays.random import default_generator as default_generator, manual_seed as manual_seed
from tensorgrad.autograd.engine import (
    enable_grad as enable_grad,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    observe as observe,
    set_grad_enabled as set_grad_enabled,
)
from tensorgrad.autograd.observer import Observer as Observer
from tensorgrad.compiler import compile as compile
from tensorgrad.creation import (
    arange as arange,
    eye as eye,
    full as full,
    linspace as linspace,
    ones as ones,
    ones_like as ones_like,
    rand as rand,
    randint as randint,
    randn as randn,
    randperm as randperm,
    tensor as tensor,
    zeros as zeros,
    zeros_like as zeros_like,
)
from tensorgrad.errors import (
    ArgumentError as ArgumentError,
    DTypeError as DTypeError,
    GraphError as GraphError,
    OutOfMemoryError as OutOfMemoryError,
    RangeError as RangeError,
    ShapeError as ShapeError,
    TensorgradError as TensorgradError,
)
from tensorgrad.interop import (
    from_dlpack as from_dlpack,
    from_numpy as from_numpy,
)
from tensorgrad.ops.convolution import *
from tensorgrad.ops.dropout import *
from tensorgrad.ops.elementwise.activations import *
from tensorgrad.ops.elementwise.arithmetic import *
from tensorgrad.ops.elementwise.comparison import *
from tensorgrad.ops.elementwise.transcendental import *
from tensorgrad.ops.indexing import *
from tensorgrad.ops.joining import *
from tensorgrad.ops.linear import *
from tensorgrad.ops.normalization import *
from tensorgrad.ops.operands import *
from tensorgrad.ops.pooling import *
from tensorgrad.ops.reductions import *
from tensorgrad.ops.shapes import *
from tensorgrad.ops.softmax import *
from tensorgrad.storage import (
    StorageError as StorageError,
    load as load,
    load_metadata as load_metadata,
    save as save,
)
from tensorgrad.system.forks import imported as _imported
from tensorgrad.tensor import Tensor as Tensor
from tensorgrad.transforms import (
    GradientError as GradientError,
    grad as grad,
    gradcheck as gradcheck,
    hessian as hessian,
    hvp as hvp,
    jacobian as jacobian,
    vjp as vjp,
)

__version__ = "0.1.0"

float16, float32, float64 = (_np.dtype(t) for t in (_np.float16, _np.float32, _np.float64))
int32, int64, uint8 = (_np.dtype(t) for t in (_np.int32, _np.int64, _np.uint8))
bool_ = _np.dtype(_np.bool_)


if TYPE_CHECKING:
    from tensorgrad import nn as nn, viz as viz
else:

    def __getattr__(name: str) -> _ModuleType:
        if name in ("nn", "viz"):  # imported at the first use, so that `import tensorgrad` is fast
            return _imported(f"tensorgrad.{name}")
        raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")
