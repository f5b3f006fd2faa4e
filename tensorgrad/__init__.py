"""tensorgrad: reverse-mode automatic differentiation to read, to train networks with, and to visualize.

`import tensorgrad as tg` imports tensors and their functions; networks are in `tg.nn`, drawings in `tg.viz`. The
module of each family of ops lists its public functions in `__all__`.
"""

from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING, Any as _Any

import numpy as _np

from tensorgrad import unknown_names as _unknown_names
from tensorgrad.arrays.devices import device as device
from tensorgrad.arrays.dtypes import default_float as get_default_dtype, set_default_dtype as set_default_dtype
from tensorgrad.arrays.limits import finfo as finfo, iinfo as iinfo
from tensorgrad.arrays.memory import empty_cache as empty_cache
from tensorgrad.arrays.random import (
    default_generator as default_generator,
    initial_seed as initial_seed,
    manual_seed as manual_seed,
    seeded as seeded,
    use_deterministic_algorithms as use_deterministic_algorithms,
)
from tensorgrad.autograd.modes import (
    enable_grad as enable_grad,
    inference_mode as inference_mode,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    observe as observe,
    set_grad_enabled as set_grad_enabled,
)
from tensorgrad.autograd.observer import Observer as Observer
from tensorgrad.creation.data import tensor as tensor
from tensorgrad.creation.filled import (
    eye as eye,
    full as full,
    ones as ones,
    ones_like as ones_like,
    zeros as zeros,
    zeros_like as zeros_like,
)
from tensorgrad.creation.random import rand as rand, randint as randint, randn as randn, randperm as randperm
from tensorgrad.creation.ranges import arange as arange, linspace as linspace, logspace as logspace
from tensorgrad.errors import (
    ArgumentError as ArgumentError,
    DTypeError as DTypeError,
    GraphError as GraphError,
    OutOfMemoryError as OutOfMemoryError,
    RangeError as RangeError,
    ShapeError as ShapeError,
    TensorgradError as TensorgradError,
    UnknownNameError as UnknownNameError,
)
from tensorgrad.ops.convolution import *
from tensorgrad.ops.dropout import *
from tensorgrad.ops.elementwise.activations import *
from tensorgrad.ops.elementwise.angles import *
from tensorgrad.ops.elementwise.arithmetic import *
from tensorgrad.ops.elementwise.choice import *
from tensorgrad.ops.elementwise.closeness import *
from tensorgrad.ops.elementwise.comparison import *
from tensorgrad.ops.elementwise.floating import *
from tensorgrad.ops.elementwise.logarithms import *
from tensorgrad.ops.elementwise.piecewise import *
from tensorgrad.ops.elementwise.rounding import *
from tensorgrad.ops.elementwise.smooth import *
from tensorgrad.ops.elementwise.special import *
from tensorgrad.ops.elementwise.transcendental import *
from tensorgrad.ops.images.shuffling import *
from tensorgrad.ops.images.transposed import *
from tensorgrad.ops.indexing import *
from tensorgrad.ops.joining import *
from tensorgrad.ops.layers.bilinear import *
from tensorgrad.ops.layers.dropout import *
from tensorgrad.ops.layers.embedding import *
from tensorgrad.ops.layers.normalization import *
from tensorgrad.ops.layout.diagonals import *
from tensorgrad.ops.layout.differences import *
from tensorgrad.ops.layout.properties import *
from tensorgrad.ops.layout.repeats import *
from tensorgrad.ops.layout.sections import *
from tensorgrad.ops.layout.stacking import *
from tensorgrad.ops.layout.views import *
from tensorgrad.ops.linalg.added_products import *
from tensorgrad.ops.linalg.determinants import *
from tensorgrad.ops.linalg.equations import inverse as inverse
from tensorgrad.ops.linalg.least_squares import pinverse as pinverse
from tensorgrad.ops.linalg.norms import dist as dist, renorm as renorm
from tensorgrad.ops.linalg.older import *
from tensorgrad.ops.linalg.products import *
from tensorgrad.ops.linear import *
from tensorgrad.ops.normalization import *
from tensorgrad.ops.operands import *
from tensorgrad.ops.ordering.quantiles import *
from tensorgrad.ops.ordering.searching import *
from tensorgrad.ops.ordering.sorting import *
from tensorgrad.ops.pooling import *
from tensorgrad.ops.products.contractions import *
from tensorgrad.ops.products.distances import *
from tensorgrad.ops.reduce.dispersion import *
from tensorgrad.ops.reduce.extremes import *
from tensorgrad.ops.reductions import *
from tensorgrad.ops.sampling.filled import *
from tensorgrad.ops.sampling.samples import *
from tensorgrad.ops.selection.masks import *
from tensorgrad.ops.selection.parts import *
from tensorgrad.ops.selection.scatter import *
from tensorgrad.ops.selection.select import *  # type: ignore[assignment]  # its where takes the condition alone too
from tensorgrad.ops.shapes import *
from tensorgrad.ops.softmax import *
from tensorgrad.ops.statistics.cumulative import *
from tensorgrad.ops.statistics.moments import *
from tensorgrad.system import lazy as _lazy
from tensorgrad.tensor import Tensor as Tensor

__version__ = "0.1.0"
float16, float32, float64 = (_np.dtype(t) for t in (_np.float16, _np.float32, _np.float64))
int8, int16, int32, int64 = (_np.dtype(t) for t in (_np.int8, _np.int16, _np.int32, _np.int64))
uint8, uint16, uint32, uint64 = (_np.dtype(t) for t in (_np.uint8, _np.uint16, _np.uint32, _np.uint64))
bool_ = bool = _np.dtype(_np.bool_)
half, float, double = float16, float32, float64
pi, e, inf, nan, newaxis = _np.pi, _np.e, _np.inf, _np.nan, None
short, int, long = int16, int32, int64
Size = tuple  # a shape is a tuple
# Names of memory formats and layouts, to pass to arguments that change nothing.
channels_last, channels_last_3d, contiguous_format, preserve_format, strided = (
    "channels_last", "channels_last_3d", "contiguous_format", "preserve_format", "strided",
)  # fmt: skip

if TYPE_CHECKING:
    from tensorgrad import (
        amp as amp,
        backends as backends,
        callbacks as callbacks,
        compiler as compiler,
        cuda as cuda,
        distributed as distributed,
        distributions as distributions,
        func as func,
        linalg as linalg,
        nn as nn,
        onnx as onnx,
        optim as optim,
        special as special,
        storage as storage,
        transforms as transforms,
        utils as utils,
        vision as vision,
        viz as viz,
    )
    from tensorgrad.amp import autocast as autocast
    from tensorgrad.compiler import compile as compile
    from tensorgrad.func import vmap as vmap
    from tensorgrad.interop.arrays import from_dlpack as from_dlpack, from_numpy as from_numpy
    from tensorgrad.kernels.jit.dispatch import (
        get_num_threads as get_num_threads,
        set_num_threads as set_num_threads,
    )
    from tensorgrad.ops.sampling.generator import (
        Generator as Generator,
        get_rng_state as get_rng_state,
        seed as seed,
        set_rng_state as set_rng_state,
    )
    from tensorgrad.storage import (
        StorageError as StorageError,
        load as load,
        load_metadata as load_metadata,
        save as save,
    )
    from tensorgrad.tensor.typed import (
        BoolTensor as BoolTensor,
        ByteTensor as ByteTensor,
        CharTensor as CharTensor,
        DoubleTensor as DoubleTensor,
        FloatTensor as FloatTensor,
        HalfTensor as HalfTensor,
        IntTensor as IntTensor,
        LongTensor as LongTensor,
        ShortTensor as ShortTensor,
    )
    from tensorgrad.transforms import (
        GradientError as GradientError,
        grad as grad,
        gradcheck as gradcheck,
        hessian as hessian,
        hvp as hvp,
        jacobian as jacobian,
        vjp as vjp,
    )
else:
    # What a first tensor doesn't need is imported at its first use. Type checkers read the same names above.
    _LAZY = {
        name: f"tensorgrad.{name}"
        for name in (
            "amp", "backends", "callbacks", "compiler", "cuda", "distributed", "distributions", "func", "linalg", "nn",
            "onnx", "optim", "special", "storage", "transforms", "utils", "vision", "viz",
        )
    }  # fmt: skip
    _LAZY |= _lazy.names_of("tensorgrad.amp", "autocast")
    _LAZY |= _lazy.names_of("tensorgrad.compiler", "compile")
    _LAZY |= _lazy.names_of("tensorgrad.func", "vmap")
    _LAZY |= _lazy.names_of("tensorgrad.interop.arrays", "from_dlpack", "from_numpy")
    _LAZY |= _lazy.names_of("tensorgrad.kernels.jit.dispatch", "get_num_threads", "set_num_threads")
    _LAZY |= _lazy.names_of("tensorgrad.ops.sampling.generator", "Generator", "get_rng_state", "seed", "set_rng_state")
    _LAZY |= _lazy.names_of("tensorgrad.storage", "StorageError", "load", "load_metadata", "save")
    _LAZY |= _lazy.names_of(
        "tensorgrad.tensor.typed",
        *(f"{kind}Tensor" for kind in ("Bool", "Byte", "Char", "Double", "Float", "Half", "Int", "Long", "Short")),
    )
    _LAZY |= _lazy.names_of(
        "tensorgrad.transforms", "GradientError", "grad", "gradcheck", "hessian", "hvp", "jacobian", "vjp"
    )
    _present = {name for name, value in globals().items() if name[0] != "_" and type(value) is not _ModuleType}
    __all__ = sorted((_present - {"TYPE_CHECKING"}) | {*_LAZY})

    def __getattr__(name: str) -> _Any:
        if name not in _LAZY:
            raise _unknown_names.unknown("tensorgrad", name, _unknown_names.TENSORGRAD, __all__)
        return _lazy.load(globals(), name, _LAZY)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LAZY})
