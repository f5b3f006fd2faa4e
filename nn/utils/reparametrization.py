"""Weights that are computed before each call: weight norm and spectral norm."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.engine import constant
from tensorgrad.autograd.hooks import HookHandle
from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.operands import values
from tensorgrad.tensor import Tensor

M = TypeVar("M", bound=Module)


class Recomputed:
    """A weight that a hook computes from other parameters before each call of its module."""

    handle: HookHandle

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Module, inputs: tuple) -> None:
        """Compute the weight."""
        vars(module)[self.name] = self.compute(module)  # past __setattr__: nothing else of the module has changed

    def compute(self, module: Any) -> Tensor:
        """The weight."""
        raise NotImplementedError

    def attach(self, call: str, module: M) -> M:
        """Compute the weight now, and before each call from now on."""
        self.handle = module.register_forward_pre_hook(self)
        self(module, ())
        return module


class WeightNorm(Recomputed):
    """w = g · v / ‖v‖, with one norm for each slice along `dim`, or for all."""

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def compute(self, module: Any) -> Tensor:
        """The weight."""
        v = getattr(module, f"{self.name}_v")
        return v * (getattr(module, f"{self.name}_g") / self.norm(v))

    def norm(self, v: Tensor) -> Tensor:
        """‖v‖ of each slice."""
        if self.dim is None:
            return (v * v).sum().sqrt()
        axes = tuple(k for k in range(v.ndim) if k != self.dim % v.ndim)
        return (v * v).sum(axes, True).sqrt()


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Replace a weight by its size `name_g` and its direction `name_v`: w = g · v / ‖v‖.

    Salimans and Kingma, Weight Normalization, NeurIPS 2016.

    Args:
        module: the module with the weight, which is changed and returned.
        name: the name of the weight.
        dim: the axis along which each slice has a size of its own; None for one size.

    Raises:
        ArgumentError: the module has no parameter of that name.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.utils.weight_norm(tg.nn.Linear(3, 2))
    >>> [(name, p.shape) for name, p in layer.named_parameters()]
    [('bias', (2,)), ('weight_g', (2, 1)), ('weight_v', (2, 3))]
    """
    rule, weight = WeightNorm(name, dim), _taken("weight_norm", module, name)
    with no_grad():
        size = rule.norm(weight)
    module.register_parameter(f"{name}_g", Parameter(size.detach()))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    return rule.attach("weight_norm", module)


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again, with its present value. Raises ArgumentError where there is no weight norm."""
    rule = _found("remove_weight_norm", module, name, WeightNorm)
    return _restored(module, rule, f"{name}_g", f"{name}_v")


class SpectralNorm(Recomputed):
    """w = w₀ / σ, with σ = uᵀ · W · v, an estimate of the largest singular value by power iteration."""

    def __init__(self, name: str, iterations: int, eps: float, dim: int) -> None:
        super().__init__(name)
        self.iterations, self.eps, self.dim = iterations, eps, dim

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight as a matrix, with the axis `dim` first."""
        axes = (self.dim, *(k for k in range(weight.ndim) if k != self.dim))
        rows = weight.permute(*axes) if self.dim else weight
        return rows.reshape(weight.shape[self.dim], -1)

    def compute(self, module: Any) -> Tensor:
        """The weight."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = self.matrix(weight)
        if module.training:
            with no_grad():
                self.iterate(values(matrix), u, v)
        # Copies: the next call changes u and v in place.
        left, right = constant(np.array(values(u))), constant(np.array(values(v)))
        return weight / (left * (matrix @ right)).sum()

    def iterate(self, matrix: np.ndarray, u: Tensor, v: Tensor) -> None:
        """Update u and v in place."""
        left, right = np.array(values(u)), np.array(values(v))
        for _ in range(self.iterations):
            right = unit(matrix.T @ left, self.eps)
            left = unit(matrix @ right, self.eps)
        u[...], v[...] = left, right


def unit(x: np.ndarray, eps: float) -> np.ndarray:
    """x / max(‖x‖, ε)."""
    return x / max(float(np.linalg.norm(x)), eps)


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divide a weight by its largest singular value, estimated by power iteration at each call in training.

    The parameter is `name_orig`; the vectors of the iteration are the buffers `name_u` and `name_v`. Miyato et al.,
    Spectral Normalization for Generative Adversarial Networks, ICLR 2018.

    Args:
        module: the module with the weight, which is changed and returned.
        name: the name of the weight.
        n_power_iterations: steps of the iteration at each call.
        eps: ε, the least norm to divide by.
        dim: the axis of the outputs; by default 0, and 1 for transposed convolutions.

    Raises:
        ArgumentError: the module has no parameter of that name, or n_power_iterations is below 1.

    >>> import numpy as np, tensorgrad as tg
    >>> layer = tg.nn.utils.spectral_norm(tg.nn.Linear(3, 2), n_power_iterations=50)
    >>> bool(abs(np.linalg.norm(layer.weight.detach(), 2) - 1) < 1e-3)
    True
    """
    if n_power_iterations < 1:
        problem = f"n_power_iterations must be at least 1, got {n_power_iterations}"
        raise ArgumentError(restate("spectral_norm", problem, n_power_iterations=n_power_iterations))
    axis = int(type(module).__name__.startswith("ConvTranspose")) if dim is None else dim
    rule = SpectralNorm(name, n_power_iterations, eps, axis)
    weight = _taken("spectral_norm", module, name).detach()
    matrix, generator = rule.matrix(weight), default_generator()
    module.register_parameter(f"{name}_orig", Parameter(weight))
    for letter, size in zip("uv", matrix.shape, strict=True):
        start = unit(generator.standard_normal(size), eps).astype(weight.dtype)
        module.register_buffer(f"{name}_{letter}", start)
    return rule.attach("spectral_norm", module)


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again, with its present value. Raises ArgumentError without a spectral norm."""
    rule = _found("remove_spectral_norm", module, name, SpectralNorm)
    return _restored(module, rule, f"{name}_orig", f"{name}_u", f"{name}_v")


def _taken(call: str, module: Module, name: str) -> Parameter:
    """The parameter of that name, which the module no longer has."""
    weight = vars(module).get(name)
    if not isinstance(weight, Parameter):
        known = ", ".join(name for name, _ in module.named_parameters(recurse=False)) or "none"
        problem = f"{type(module).__name__} has no parameter {name!r}; its parameters are {known}"
        raise ArgumentError(restate(call, problem, name=name))
    delattr(module, name)
    return weight


def _found(call: str, module: Module, name: str, kind: type) -> Any:
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook.function, kind) and hook.function.name == name:  # type: ignore[attr-defined]
            return hook.function
    raise ArgumentError(restate(call, f"{name!r} of {type(module).__name__} has no {kind.__name__}", name=name))


def _restored(module: M, rule: Any, *others: str) -> M:
    with no_grad():
        weight = rule.compute(module).detach()
    rule.handle.remove()
    for other in others:
        delattr(module, other)
    vars(module).pop(rule.name, None)
    module.register_parameter(rule.name, Parameter(weight))
    return module
