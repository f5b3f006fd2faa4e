"""PyTorch's `torch.nn.modules.module`: the base class of modules."""

from tensorgrad.nn.module import Module as Module
