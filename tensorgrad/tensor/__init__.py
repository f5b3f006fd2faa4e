"""Tensor, an array with a gradient. Its operators and methods are the ops' public functions."""

from tensorgrad.tensor.tensor import Tensor as Tensor
