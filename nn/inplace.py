"""Activations that write their result into the memory of the input: `F.relu_`, `F.elu_` and the like."""

from __future__ import annotations

from tensorgrad.ops.elementwise import activations, piecewise, smooth
from tensorgrad.tensor.inplace import in_place

relu_ = in_place("relu_", activations.relu)
elu_ = in_place("elu_", activations.elu)
leaky_relu_ = in_place("leaky_relu_", activations.leaky_relu)
celu_ = in_place("celu_", smooth.celu)
selu_ = in_place("selu_", smooth.selu)
hardtanh_ = in_place("hardtanh_", piecewise.hardtanh)
rrelu_ = in_place("rrelu_", piecewise.rrelu)
threshold_ = in_place("threshold_", piecewise.threshold)
