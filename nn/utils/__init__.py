"""PyTorch's `torch.nn.utils`: gradients, parameters as one vector, computed weights, sequences of several lengths."""

from tensorgrad.nn.optim.clip import clip_grad_norm_, clip_grad_value_
from tensorgrad.nn.utils import rnn
from tensorgrad.nn.utils.parameters import parameters_to_vector, vector_to_parameters
from tensorgrad.nn.utils.reparametrization import (
    remove_spectral_norm,
    remove_weight_norm,
    spectral_norm,
    weight_norm,
)

clip_grad_norm = clip_grad_norm_

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "parameters_to_vector",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
