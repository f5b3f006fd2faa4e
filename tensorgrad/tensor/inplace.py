"""Methods that write into the memory of their tensor and return it: `x.add_(y)` is `x[...] = tg.add(x, y)`.

A function becomes such a method by a line here. They all go through `assignment.update`, so gradients, views and
compiled functions follow them as they follow `x += y`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import numpy as np

from tensorgrad.arrays.shared import is_shared, shared
from tensorgrad.autograd import modes, variable, versions
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import GraphError, ShapeError, restate
from tensorgrad.ops import assignment, reductions
from tensorgrad.ops.elementwise import (
    activations,
    angles,
    arithmetic,
    choice,
    closeness,
    comparison,
    floating,
    logarithms,
    rounding,
    special,
    transcendental,
)
from tensorgrad.ops.layout import diagonals
from tensorgrad.ops.linalg import added_products, norms
from tensorgrad.ops.operands import TensorLike, as_tensor, flag
from tensorgrad.ops.sampling import distributions
from tensorgrad.ops.selection import masks, parts, scatter
from tensorgrad.ops.statistics import cumulative

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

P = ParamSpec("P")


def in_place(name: str, function: Callable[Concatenate[Any, P], Tensor]) -> Callable[Concatenate[Any, P], Tensor]:
    """The method that writes what `function` gives into the memory of its first operand."""

    def method(self: Any, *arguments: P.args, **keywords: P.kwargs) -> Any:
        tensors: list[Any] = [*tensors_in(arguments), *tensors_in(tuple(keywords.values()))]
        return assignment.update(self, name, lambda x, *_: function(x, *arguments, **keywords), self, *tensors)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`tg.{name[:-1]}`, written into the memory of the tensor, which is returned."
    return method


def tensors_in(arguments: Any) -> list[Variable]:
    """The tensors among arguments, in lists and tuples too."""
    found: list[Variable] = []
    for x in arguments:
        if isinstance(x, Variable):
            found.append(x)
        elif isinstance(x, (list, tuple)):
            found += tensors_in(x)
    return found


class InPlaceMethods:
    """The ops' public functions, written into the memory of the tensor."""

    __slots__ = ()

    # ------------------------------------------------------------------------------------------------------- arithmetic
    add_ = in_place("add_", arithmetic.add)
    sub_ = subtract_ = in_place("sub_", arithmetic.subtract)
    mul_ = multiply_ = in_place("mul_", arithmetic.multiply)
    div_ = divide_ = true_divide_ = in_place("div_", arithmetic.divide)
    floor_divide_ = in_place("floor_divide_", arithmetic.floor_divide)
    remainder_ = in_place("remainder_", arithmetic.remainder)
    pow_ = in_place("pow_", arithmetic.pow)
    square_ = in_place("square_", arithmetic.square)
    neg_ = negative_ = in_place("neg_", arithmetic.negative)
    abs_ = absolute_ = in_place("abs_", arithmetic.abs)
    sign_ = in_place("sign_", rounding.sign)
    clamp_ = clip_ = in_place("clamp_", choice.clip)
    clamp_max_ = in_place("clamp_max_", choice.clamp_max)
    clamp_min_ = in_place("clamp_min_", choice.clamp_min)
    floor_ = in_place("floor_", rounding.floor)
    ceil_ = in_place("ceil_", rounding.ceil)
    round_ = in_place("round_", rounding.round)
    trunc_ = fix_ = in_place("trunc_", rounding.trunc)
    cumsum_ = in_place("cumsum_", reductions.cumsum)
    cumprod_ = in_place("cumprod_", cumulative.cumprod)
    addcdiv_ = in_place("addcdiv_", floating.addcdiv)
    addcmul_ = in_place("addcmul_", floating.addcmul)
    fmod_ = in_place("fmod_", floating.fmod)
    frac_ = in_place("frac_", floating.frac)
    lerp_ = in_place("lerp_", floating.lerp)
    copysign_ = in_place("copysign_", floating.copysign)
    heaviside_ = in_place("heaviside_", floating.heaviside)
    float_power_ = in_place("float_power_", floating.float_power)
    nan_to_num_ = in_place("nan_to_num_", floating.nan_to_num)
    deg2rad_ = in_place("deg2rad_", floating.deg2rad)
    rad2deg_ = in_place("rad2deg_", floating.rad2deg)

    # -------------------------------------------------------------------------------------------------- linear algebra
    addmm_ = in_place("addmm_", added_products.addmm)
    addmv_ = in_place("addmv_", added_products.addmv)
    addr_ = in_place("addr_", added_products.addr)
    addbmm_ = in_place("addbmm_", added_products.addbmm)
    baddbmm_ = in_place("baddbmm_", added_products.baddbmm)
    renorm_ = in_place("renorm_", norms.renorm)

    # -------------------------------------------------------------------------------------- transcendental, activations
    exp_ = in_place("exp_", transcendental.exp)
    exp2_ = in_place("exp2_", logarithms.exp2)
    expm1_ = in_place("expm1_", transcendental.expm1)
    log_ = in_place("log_", transcendental.log)
    log2_ = in_place("log2_", transcendental.log2)
    log10_ = in_place("log10_", logarithms.log10)
    log1p_ = in_place("log1p_", transcendental.log1p)
    sqrt_ = in_place("sqrt_", transcendental.sqrt)
    rsqrt_ = in_place("rsqrt_", logarithms.rsqrt)
    reciprocal_ = in_place("reciprocal_", transcendental.reciprocal)
    sin_ = in_place("sin_", transcendental.sin)
    cos_ = in_place("cos_", transcendental.cos)
    tan_ = in_place("tan_", transcendental.tan)
    asin_ = arcsin_ = in_place("asin_", transcendental.arcsin)
    acos_ = arccos_ = in_place("acos_", transcendental.arccos)
    atan_ = arctan_ = in_place("atan_", transcendental.arctan)
    atan2_ = arctan2_ = in_place("atan2_", angles.atan2)
    hypot_ = in_place("hypot_", angles.hypot)
    sinh_ = in_place("sinh_", transcendental.sinh)
    cosh_ = in_place("cosh_", transcendental.cosh)
    tanh_ = in_place("tanh_", transcendental.tanh)
    asinh_ = arcsinh_ = in_place("asinh_", transcendental.arcsinh)
    acosh_ = arccosh_ = in_place("acosh_", transcendental.arccosh)
    atanh_ = arctanh_ = in_place("atanh_", transcendental.arctanh)
    erf_ = in_place("erf_", transcendental.erf)
    erfc_ = in_place("erfc_", special.erfc)
    erfinv_ = in_place("erfinv_", special.erfinv)
    digamma_ = in_place("digamma_", special.digamma)
    lgamma_ = in_place("lgamma_", special.lgamma)
    mvlgamma_ = in_place("mvlgamma_", special.mvlgamma)
    polygamma_ = in_place("polygamma_", special.polygamma_method)
    logit_ = in_place("logit_", special.logit)
    sinc_ = in_place("sinc_", special.sinc)
    xlogy_ = in_place("xlogy_", special.xlogy)
    sigmoid_ = in_place("sigmoid_", activations.sigmoid)
    relu_ = in_place("relu_", activations.relu)

    # ------------------------------------------------------------------------------------ comparison: 0 and 1 in floats
    eq_ = in_place("eq_", operator.eq)
    ne_ = not_equal_ = in_place("ne_", comparison.not_equal)
    lt_ = less_ = in_place("lt_", comparison.less)
    le_ = less_equal_ = in_place("le_", comparison.less_equal)
    gt_ = greater_ = in_place("gt_", comparison.greater)
    ge_ = greater_equal_ = in_place("ge_", comparison.greater_equal)
    logical_and_ = in_place("logical_and_", comparison.logical_and)
    logical_or_ = in_place("logical_or_", comparison.logical_or)
    logical_xor_ = in_place("logical_xor_", closeness.logical_xor)
    logical_not_ = in_place("logical_not_", comparison.logical_not)
    bitwise_and_ = in_place("bitwise_and_", comparison.bitwise_and)
    bitwise_or_ = in_place("bitwise_or_", comparison.bitwise_or)
    bitwise_xor_ = in_place("bitwise_xor_", comparison.bitwise_xor)
    bitwise_not_ = in_place("bitwise_not_", comparison.bitwise_not)

    # -------------------------------------------------------------------------------------------------------- selection
    tril_ = in_place("tril_", diagonals.tril)
    triu_ = in_place("triu_", diagonals.triu)
    masked_fill_ = in_place("masked_fill_", masks.masked_fill)
    masked_scatter_ = in_place("masked_scatter_", masks.masked_scatter)
    scatter_ = in_place("scatter_", scatter.scatter)
    scatter_add_ = in_place("scatter_add_", scatter.scatter_add)
    scatter_reduce_ = in_place("scatter_reduce_", scatter.scatter_reduce)
    index_add_ = in_place("index_add_", parts.index_add)
    index_copy_ = in_place("index_copy_", parts.index_copy)
    index_fill_ = in_place("index_fill_", parts.index_fill)
    index_put_ = in_place("index_put_", parts.index_put)

    # --------------------------------------------------------------------------------------------------- random numbers
    uniform_ = in_place("uniform_", distributions.uniform)
    normal_ = in_place("normal_", distributions.normal_like)
    bernoulli_ = in_place("bernoulli_", distributions.bernoulli_like)
    exponential_ = in_place("exponential_", distributions.exponential)
    log_normal_ = in_place("log_normal_", distributions.log_normal)
    cauchy_ = in_place("cauchy_", distributions.cauchy)
    geometric_ = in_place("geometric_", distributions.geometric)
    random_ = in_place("random_", distributions.random)

    # ----------------------------------------------------------------------------------------------------------- values

    def zero_(self: Any) -> Any:
        """Write 0 into all elements, and return the tensor.

        >>> import tensorgrad as tg
        >>> tg.tensor([1.0, 2.0]).zero_()
        tensor([0., 0.])
        """
        assignment.assign(self, ..., 0)
        return self

    def fill_(self: Any, value: TensorLike) -> Any:
        """Write one number into all elements, and return the tensor. Raises ShapeError for a value with axes.

        >>> import tensorgrad as tg
        >>> tg.tensor([1.0, 2.0]).fill_(5)
        tensor([5., 5.])
        """
        if np.ndim(value if not isinstance(value, Variable) else value._data):
            fix = "t.copy_(value) writes tensors"
            raise ShapeError(restate("fill_", "value must be one number, without axes", fix=fix, tensor=self))
        assignment.assign(self, ..., value)
        return self

    def copy_(self: Any, src: TensorLike, non_blocking: bool = False) -> Any:
        """Write the elements of another tensor, which broadcasts and is converted, and return this one.

        Args:
            src: a tensor that broadcasts to the shape of this one; its gradient flows.
            non_blocking: accepted for PyTorch's scripts, and without effect.

        >>> import tensorgrad as tg
        >>> tg.zeros(2, dtype="int64").copy_(tg.tensor([1.7, 2.0]))
        tensor([1, 2])
        """
        flag("copy_", "non_blocking", non_blocking)
        source = as_tensor(src)
        if source.dtype != self.dtype and not np.can_cast(source.dtype, self.dtype, "same_kind"):
            source = source.astype(self.dtype)
        assignment.assign(self, ..., source)
        return self

    def fill_diagonal_(self: Any, fill_value: float, wrap: bool = False) -> Any:
        """Write one number into the main diagonal, and return the tensor.

        Args:
            fill_value: a number.
            wrap: of a matrix with more rows than columns, begin anew one row below the end of the diagonal.

        Raises:
            ShapeError: fewer than two axes, or more than two that differ in length.

        >>> import tensorgrad as tg
        >>> tg.zeros(2, 2).fill_diagonal_(5.0)
        tensor([[5., 0.],
                [0., 5.]])
        """
        wrap = flag("fill_diagonal_", "wrap", wrap)
        if self.ndim < 2 or (self.ndim > 2 and len({*self.shape}) > 1):
            problem = "the tensor must be a matrix, or have more axes of one length"
            raise ShapeError(restate("fill_diagonal_", problem, tensor=self))
        shortest = min(self.shape)
        columns = np.arange(shortest)
        index: list[Any] = [columns] * self.ndim
        if wrap and self.ndim == 2 and self.shape[0] > self.shape[1] + 1:
            flat = np.arange(0, self.shape[0] * self.shape[1], self.shape[1] + 1)
            index = list(np.unravel_index(flat, self.shape))
        assignment.assign(self, tuple(index), fill_value)
        return self

    def share_memory_(self: Any) -> Any:
        """Move the values into memory that processes share, and return the tensor.

        A process that is forked afterwards (`multiprocessing.get_context("fork")`) reads what this one writes, and
        writes what this one reads. A spawned process gets a copy, as of every tensor.

        >>> import tensorgrad as tg
        >>> tg.tensor([1.0, 2.0]).share_memory_().is_shared()
        True
        """
        if not is_shared(self._data):
            self.data = shared(self._data)
        return self

    def is_shared(self: Any) -> bool:
        """Whether the values lie in memory that processes share: see `share_memory_`."""
        return is_shared(self._data)

    def detach_(self: Any) -> Any:
        """Cut the tensor off from how it was computed, and return it: no gradient flows through it any more.

        Raises:
            GraphError: a view of another tensor; `detach()` gives a tensor that is cut off.

        >>> import tensorgrad as tg
        >>> x = tg.tensor([1.0], requires_grad=True)
        >>> y = x * 2.0
        >>> y.detach_().requires_grad
        False
        """
        return _cut_off(self)


def _cut_off(t: Any) -> Any:
    """t, which from now on is a leaf without a gradient, in the same memory."""
    if t._node is None:
        t.requires_grad = False
        return t
    aliases = t._aliases
    if aliases is not None and aliases.array is not t._data:
        problem, fix = "a view of another tensor can't be detached in place", "use t = t.detach()"
        raise GraphError(restate("detach_", problem, fix=fix, tensor=t))
    before = variable.wrap(t._data, True, t._node)
    before._aliases, before._version = aliases, t._version
    t._node, t._requires_grad = None, False
    if aliases is not None:
        versions.add_detached(t, before)
    for observer in modes.observers():
        observer.tensor_detached(before, t)
    return t
