"""PyTorch's `torch.nn.functional`, the functions behind layers and losses: `import tensorgrad.nn.functional as F`."""

from typing import TYPE_CHECKING, Any

from tensorgrad import unknown_names
from tensorgrad.nn.inplace import (
    celu_ as celu_,
    elu_ as elu_,
    hardtanh_ as hardtanh_,
    leaky_relu_ as leaky_relu_,
    relu_ as relu_,
    rrelu_ as rrelu_,
    selu_ as selu_,
    threshold_ as threshold_,
)
from tensorgrad.nn.losses.embeddings import (
    cosine_embedding_loss as cosine_embedding_loss,
    triplet_margin_loss as triplet_margin_loss,
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from tensorgrad.nn.losses.functions import (
    binary_cross_entropy as binary_cross_entropy,
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
    cross_entropy as cross_entropy,
    l1_loss as l1_loss,
    mse_loss as mse_loss,
    nll_loss as nll_loss,
    soft_margin_loss as soft_margin_loss,
)
from tensorgrad.nn.losses.margins import (
    hinge_embedding_loss as hinge_embedding_loss,
    margin_ranking_loss as margin_ranking_loss,
    multi_margin_loss as multi_margin_loss,
    multilabel_margin_loss as multilabel_margin_loss,
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
)
from tensorgrad.nn.losses.regression import (
    gaussian_nll_loss as gaussian_nll_loss,
    huber_loss as huber_loss,
    kl_div as kl_div,
    poisson_nll_loss as poisson_nll_loss,
    smooth_l1_loss as smooth_l1_loss,
)
from tensorgrad.nn.losses.sequences import ctc_loss as ctc_loss
from tensorgrad.ops.convolution import conv1d as conv1d, conv2d as conv2d, conv3d as conv3d
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
from tensorgrad.ops.elementwise.piecewise import (
    hardshrink as hardshrink,
    hardsigmoid as hardsigmoid,
    hardswish as hardswish,
    hardtanh as hardtanh,
    prelu as prelu,
    relu6 as relu6,
    rrelu as rrelu,
    softshrink as softshrink,
    threshold as threshold,
)
from tensorgrad.ops.elementwise.smooth import (
    celu as celu,
    logsigmoid as logsigmoid,
    mish as mish,
    selu as selu,
    softsign as softsign,
    tanhshrink as tanhshrink,
)
from tensorgrad.ops.images.adaptive import (
    adaptive_max_pool1d as adaptive_max_pool1d,
    adaptive_max_pool2d as adaptive_max_pool2d,
    adaptive_max_pool3d as adaptive_max_pool3d,
    lp_pool1d as lp_pool1d,
    lp_pool2d as lp_pool2d,
    lp_pool3d as lp_pool3d,
)
from tensorgrad.ops.images.fractional import (
    fractional_max_pool2d as fractional_max_pool2d,
    fractional_max_pool3d as fractional_max_pool3d,
)
from tensorgrad.ops.images.grid import affine_grid as affine_grid, grid_sample as grid_sample
from tensorgrad.ops.images.interpolation import (
    interpolate as interpolate,
    upsample as upsample,
    upsample_bilinear as upsample_bilinear,
    upsample_nearest as upsample_nearest,
)
from tensorgrad.ops.images.padding import pad as pad
from tensorgrad.ops.images.patches import fold as fold, unfold as unfold
from tensorgrad.ops.images.shuffling import (
    channel_shuffle as channel_shuffle,
    pixel_shuffle as pixel_shuffle,
    pixel_unshuffle as pixel_unshuffle,
)
from tensorgrad.ops.images.transposed import (
    conv_transpose1d as conv_transpose1d,
    conv_transpose2d as conv_transpose2d,
    conv_transpose3d as conv_transpose3d,
)
from tensorgrad.ops.images.unpooling import (
    max_unpool1d as max_unpool1d,
    max_unpool2d as max_unpool2d,
    max_unpool3d as max_unpool3d,
)
from tensorgrad.ops.indexing import one_hot as one_hot
from tensorgrad.ops.layers.attention import scaled_dot_product_attention as scaled_dot_product_attention
from tensorgrad.ops.layers.bilinear import bilinear as bilinear
from tensorgrad.ops.layers.dropout import (
    alpha_dropout as alpha_dropout,
    dropout1d as dropout1d,
    dropout2d as dropout2d,
    dropout3d as dropout3d,
    feature_alpha_dropout as feature_alpha_dropout,
)
from tensorgrad.ops.layers.embedding import embedding as embedding, embedding_bag as embedding_bag
from tensorgrad.ops.layers.gates import glu as glu, gumbel_softmax as gumbel_softmax, softmin as softmin
from tensorgrad.ops.layers.normalization import (
    group_norm as group_norm,
    instance_norm as instance_norm,
    layer_norm as layer_norm,
    local_response_norm as local_response_norm,
    rms_norm as rms_norm,
)
from tensorgrad.ops.linear import linear as linear
from tensorgrad.ops.normalization import batch_norm as batch_norm
from tensorgrad.ops.pooling import (
    adaptive_avg_pool1d as adaptive_avg_pool1d,
    adaptive_avg_pool2d as adaptive_avg_pool2d,
    adaptive_avg_pool3d as adaptive_avg_pool3d,
    avg_pool1d as avg_pool1d,
    avg_pool2d as avg_pool2d,
    avg_pool3d as avg_pool3d,
    max_pool1d as max_pool1d,
    max_pool2d as max_pool2d,
    max_pool3d as max_pool3d,
)
from tensorgrad.ops.products.distances import (
    cosine_similarity as cosine_similarity,
    normalize as normalize,
    pairwise_distance as pairwise_distance,
    pdist as pdist,
)
from tensorgrad.ops.softmax import log_softmax as log_softmax, softmax as softmax

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise unknown_names.unknown("tensorgrad.nn.functional", name, unknown_names.FUNCTIONAL, list(globals()))
