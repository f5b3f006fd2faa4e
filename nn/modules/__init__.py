"""PyTorch's `torch.nn.modules`, under whose paths scripts find base classes and helpers."""

from tensorgrad.nn.module import Module as Module
from tensorgrad.nn.modules import batchnorm as batchnorm, conv as conv, module as module, utils as utils
