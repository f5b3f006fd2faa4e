"""PyTorch's `torch.nn.functional`, the functions behind layers and losses: `import tensorgrad.nn.functional as F`."""

from tensorgrad.nn.losses.functions import (
    binary_cross_entropy as binary_cross_entropy,
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
    cross_entropy as cross_entropy,
    l1_loss as l1_loss,
    mse_loss as mse_loss,
    nll_loss as nll_loss,
    soft_margin_loss as soft_margin_loss,
)
from tensorgrad.ops.convolution import conv1d as conv1d, conv2d as conv2d
from tensorgrad.ops.dropout import dropout as dropout
from tensorgrad.ops.elementwise.activations import (
    elu as elu,
    gelu as gelu,
    leaky_relu as leaky_relu,
    relu as relu,
    sigmoid as sigmoid,
    silu as silu,
    softplus as softplus,
    tanh as tanh,
)
from tensorgrad.ops.joining import pad as pad
from tensorgrad.ops.linear import linear as linear
from tensorgrad.ops.normalization import batch_norm as batch_norm
from tensorgrad.ops.pooling import avg_pool2d as avg_pool2d, max_pool2d as max_pool2d
from tensorgrad.ops.softmax import log_softmax as log_softmax, softmax as softmax
