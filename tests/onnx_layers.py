"""Layers and functions of users, each with an input, for tests of the export."""

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn

RNG = np.random.default_rng(0)


def normal(*shape):
    return tg.tensor(RNG.standard_normal(shape).astype(np.float32))


class Function(nn.Module):
    """A function as a Module, with the layers that it calls."""

    def __init__(self, function, *layers):
        self.function, self.layers = function, nn.ModuleList(list(layers))

    def forward(self, *xs):
        return self.function(*self.layers, *xs)


VECTOR, IMAGE, SEQUENCE, VOLUME = normal(1, 8), normal(1, 4, 9, 9), normal(1, 5, 8), normal(1, 2, 5, 6, 7)

BAGS = tg.tensor([[1, 2, 1, 3]])

ON_VECTORS = [
    nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.CELU(0.7), nn.SELU(), nn.GELU(), nn.GELU("tanh"),
    nn.SiLU(), nn.Mish(), nn.Softplus(), nn.Softplus(2.0), nn.Softsign(), nn.Tanhshrink(), nn.LogSigmoid(),
    nn.Hardtanh(-2, 1.5), nn.Hardsigmoid(), nn.Hardswish(), nn.Hardshrink(), nn.Softshrink(), nn.Threshold(0.1, 2.0),
    nn.PReLU(8), nn.RReLU(), nn.Sigmoid(), nn.Tanh(), nn.Softmax(1), nn.Softmin(1), nn.LogSoftmax(1), nn.GLU(1),
    nn.Dropout(), nn.AlphaDropout(), nn.Identity(), nn.Linear(8, 3, bias=False), nn.LayerNorm(8), nn.RMSNorm(8),
    nn.BatchNorm1d(8),
]  # fmt: skip
ON_IMAGES = [
    nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dilation=2), nn.Conv2d(4, 6, 3, padding="same"),
    nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
    nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1),
    nn.ConvTranspose2d(4, 6, 3, groups=2, dilation=2),
    nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(3, 2, 1, dilation=2, return_indices=True),
    nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False, ceil_mode=True),
    nn.AvgPool2d(2, ceil_mode=True), nn.AvgPool2d(4, 3, 1, ceil_mode=True), nn.AvgPool2d(2, divisor_override=3),
    nn.AdaptiveAvgPool2d(3), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((4, 2)), nn.AdaptiveAvgPool2d((None, 3)),
    nn.AdaptiveMaxPool2d(3), nn.LPPool2d(2, 3), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True),
    nn.LayerNorm([4, 9, 9]), nn.LayerNorm([9, 9]), nn.RMSNorm([9, 9]), nn.LocalResponseNorm(3), nn.BatchNorm2d(4),
    nn.BatchNorm2d(4, track_running_stats=False), nn.Upsample(scale_factor=2), nn.Upsample(size=(4, 13)),
    nn.Upsample(scale_factor=2, mode="bilinear"), nn.Upsample(size=(13, 5), mode="bilinear", align_corners=True),
    nn.Upsample(size=13, mode="bicubic"), nn.PixelShuffle(2), nn.PixelUnshuffle(3), nn.ChannelShuffle(2),
    nn.Unfold(3, stride=2, padding=1), nn.ZeroPad2d(2), nn.ReflectionPad2d(2), nn.ReplicationPad2d((1, 2, 3, 0)),
    nn.CircularPad2d(2), nn.ConstantPad2d(1, 3.5), nn.Flatten(), nn.Softmax2d(), nn.Dropout2d(),
    nn.Unflatten(1, (2, 2)), nn.PReLU(4),
]  # fmt: skip
ON_SEQUENCES = [
    nn.RNN(8, 6, batch_first=True), nn.LSTM(8, 6, batch_first=True, bias=False), nn.MaxPool1d(2), nn.AvgPool1d(3, 2),
    nn.GRU(8, 6, num_layers=2, bidirectional=True, batch_first=True), nn.AdaptiveAvgPool1d(3), nn.BatchNorm1d(5),
    nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Conv1d(5, 4, 3), nn.ConvTranspose1d(5, 4, 3, 2),
    nn.InstanceNorm1d(5), nn.Linear(8, 3), nn.Upsample(scale_factor=2, mode="linear"),
]  # fmt: skip
ON_VOLUMES = [
    nn.Conv3d(2, 3, 3), nn.MaxPool3d(2), nn.AvgPool3d(2), nn.BatchNorm3d(2), nn.ConvTranspose3d(2, 3, 2, 2),
    nn.AdaptiveAvgPool3d(2), nn.Upsample(scale_factor=2, mode="trilinear"),
]  # fmt: skip


def squared_in_place(x):
    y = x * 1
    y *= 2
    y[:, 1] = 0.0
    y[:, 1:3, 2, 3:5] = 5.0
    return y.relu_()


def scattered(x):
    places = tg.tensor([[[[0, 2, 0, 1, 2, 8, 8, 3, 3]]]]).expand(x.shape[0], 4, 9, 9)
    chosen = x.argmax(1, keepdim=True)
    zeros, source = tg.zeros(x.shape[0], 4, 9, 9), x * 0.5
    return (
        zeros.scatter_add(3, places, x), x.scatter_add(1, chosen, x[:, :1]), x.scatter(1, chosen, 3.0),
        *(x.scatter_reduce(3, places, source, reduce) for reduce in ("sum", "prod", "amax", "amin")),
        x.scatter_reduce(3, places[:, :, :2, :5], source, "mean", include_self=False),
        x.index_add(1, tg.tensor([0, 2, 2]), x[:, :3]), x.index_copy(2, tg.tensor([3, 1]), x[:, :, :2]),
    )  # fmt: skip


def written(x):
    y = x * 1
    y[:, [0, 3]] = 0.0
    y[:, :, [1, 4]] = x[:, :, :2] + 2.0
    z = x.permute(1, 2, 3, 0) * 1
    z[[0, 1, 3], [2, 5, 2]] = x[0, 0, 0].sum()
    w = x.mean((2, 3))
    w[tg.arange(x.shape[0]), w.argmax(1)] = -1.0
    return y, z, w


def turned(x):
    theta = x.mean((1, 2, 3)).reshape(-1, 1, 1) * tg.ones(1, 2, 3)
    grid = F.affine_grid(theta, (x.shape[0], 4, 5, 5), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


FUNCTIONS = {
    "view with the batch's size": lambda x: x.view(x.shape[0], -1) * 2,
    "batch and channels as one": lambda x: x.reshape(x.shape[0] * 4, -1).reshape(x.shape[0], 4, 81),
    "zeros of the batch": lambda x: x + tg.zeros(x.shape[0], 1, 9, 9),
    "joined with a constant": lambda x: tg.cat([x, tg.full((x.shape[0], 1, 9, 9), 0.5)], 1),
    "divided by the batch": lambda x: x / x.shape[0],
    "batch by batch": lambda x: x.flatten(1) @ x.flatten(1).T,
    "minus the batch's mean": lambda x: x - x.mean(0, keepdim=True),
    "arange over the batch": lambda x: x[tg.arange(x.shape[0]), x.mean((2, 3)).argmax(1)],
    "expand": lambda x: x[:, :1].expand(x.shape[0], 4, 9, 9),
    "reductions": lambda x: (x.sum((2, 3)), x.mean(), x.var((1, 2)), x.std(3, keepdim=True), x.amax((2, 3)), x.prod(1)),
    "extremes": lambda x: (*x.max(1), x.argmin(2), *x.topk(3, 1), *x.sort(2), (x > 2).any(1), (x > -2).all(1)),
    "norms": lambda x: (x.norm(dim=1), x.norm(1, dim=1), F.normalize(x), x.logsumexp(1)),
    "slices": lambda x: (x[:, 1:3, ::2, -1], x[:, :, ::-1, 1::3], x[:, None, 0, ..., 2]),
    "arrays": lambda x: (x[:, [0, 2, 2]], x.permute(1, 2, 3, 0)[[0, 1], [2, 3]]),
    "arrays of several shapes": lambda x: x[0][
        np.arange(4)[:, None, None], np.array([[[3]], [[1]], [[7]], [[1]]]), np.arange(9)[None, None]
    ],
    "gather": lambda x: x.gather(1, x.argmax(1, keepdim=True)),
    "parts": lambda x: (*x.split([4, 5], 2), x.chunk(2, 1)[1], x.unfold(2, 3, 2), x.diagonal(0, 2, 3)),
    "joined": lambda x: (tg.cat([x, x * 2], 1), tg.stack([x, x + 1], 1), x.tile((2, 1)), x.repeat_interleave(2, 1)),
    "moved": lambda x: (x.roll(2, 3), x.flip(2), x.tril(), x.transpose(1, 2), x.cumsum(1)),
    "products": lambda x: (tg.einsum("nchw,ncwk->nchk", x, x), x @ x.transpose(2, 3), tg.bmm(x[:, 0], x[:, 1])),
    "choices": lambda x: (tg.where(x > 0, x, x * 0.1), x.clip(-0.5, 0.5), tg.maximum(x, x * 0.2) - tg.minimum(x, 0.1)),
    "roundings": lambda x: x.floor() + x.ceil() + x.round() + x.trunc() + x.remainder(0.7) + tg.fmod(x, 0.7),
    "functions": lambda x: (x.erf() + x.erfc(), x.expm1() + x.abs().log1p() + x.exp2() + x.abs().log2(), x.atan()),
    "truth": lambda x: (((x > 0) & (x != 1)).float(), tg.isfinite(x)),
    "dtypes": lambda x: ((x * 2).double() + 1.0, (x * 3).int() + 2, tg.one_hot(x.argmax(1), 4)),
    "in place": squared_in_place,
    "grid": turned,
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "interpolate": lambda x: (
        F.interpolate(x, size=(5, 4), mode="bilinear", antialias=True),
        F.interpolate(x, size=(5, 4), mode="bicubic", antialias=True),
        F.interpolate(x, size=(5, 20), mode="nearest-exact"),
        F.interpolate(x, size=(5, 7), mode="area"),
    ),
    "angles": lambda x: (tg.atan2(x, x.flip(1)), tg.atan2(x, tg.zeros(9)), tg.atan2(tg.zeros(9), x)),
    "quotients": lambda x: (x // 0.1, tg.div(x, 0.3, rounding_mode="floor"), (x * 5).int() // 3, (x * 5).int() // -3),
    "rests": lambda x: (x % 0.1, x % -0.1, tg.fmod(x, -0.1), (x * 5).int() % -3, tg.fmod((x * 5).int(), 3)),
    "no NaN": lambda x: (x.log().nan_to_num(0.5), x.tan().nan_to_num(), (x / 0).nan_to_num(1.0, 2.0, -3.0)),
    "running products": lambda x: (x.cumprod(2), x.cumprod(1), (x * 2).int().cumprod(3)),
    "medians": lambda x: (*x.median(1), x.median(3, keepdim=True)[0], x.median(), (x * 5).int().median(2)[1]),
    "medians with NaN": lambda x: x.log().median(1)[0],
    "scattered": scattered,
    "written by arrays": written,
    "losses": lambda x: (F.mse_loss(x, x * 0.5), F.huber_loss(x, x * 0.5), F.smooth_l1_loss(x, x * 0.5)),
}  # fmt: skip

CASES = {
    **{f"{layer!r}": (layer, VECTOR) for layer in ON_VECTORS},
    **{f"{layer!r}": (layer, IMAGE) for layer in ON_IMAGES},
    **{f"{layer!r} on sequences": (layer, SEQUENCE) for layer in ON_SEQUENCES},
    **{f"{layer!r}": (layer, VOLUME) for layer in ON_VOLUMES},
    **{name: (Function(function), IMAGE) for name, function in FUNCTIONS.items()},
    "weight norm": (nn.utils.weight_norm(nn.Conv2d(4, 3, 3)), IMAGE),
    "weight norm of the whole": (nn.Sequential(nn.utils.weight_norm(nn.Linear(8, 3), dim=None), nn.Tanh()), VECTOR),
    "spectral norm": (nn.utils.spectral_norm(nn.Linear(8, 3)), VECTOR),
    "weight norm of an LSTM": (nn.utils.weight_norm(nn.LSTM(8, 3, batch_first=True), "weight_hh_l0"), SEQUENCE),
    **{
        f"EmbeddingBag, {mode}, padding {padding}": (nn.EmbeddingBag(5, 3, mode=mode, padding_idx=padding), BAGS)
        for mode in ("sum", "mean", "max")
        for padding in (None, -3)
    },
    "EmbeddingBag with weights": (
        Function(lambda bag, k, w: bag(k, per_sample_weights=w), nn.EmbeddingBag(5, 3, mode="sum")),
        (BAGS, normal(1, 4)),
    ),
    "Embedding": (nn.Embedding(5, 3), tg.tensor([[1, 2, 0, 3]])),
    "MultiheadAttention": (
        Function(lambda attend, x: attend(x, x, x)[0], nn.MultiheadAttention(8, 2, batch_first=True)), SEQUENCE,
    ),
    "Bilinear": (nn.Bilinear(8, 8, 3), (VECTOR, normal(1, 8))),
    "CosineSimilarity": (nn.CosineSimilarity(), (VECTOR, normal(1, 8))),
    "PairwiseDistance": (nn.PairwiseDistance(), (VECTOR, normal(1, 8))),
    "LSTMCell": (Function(lambda cell, x: cell(x)[0], nn.LSTMCell(8, 4)), VECTOR),
    "GRUCell": (Function(lambda cell, x: cell(x), nn.GRUCell(8, 4)), VECTOR),
    "RNN with relu, both directions": (
        nn.RNN(8, 3, nonlinearity="relu", num_layers=2, bidirectional=True, batch_first=True), SEQUENCE,
    ),
    "LSTM of two layers, with states": (
        Function(
            lambda lstm, x: lstm(x, (x.mean((1, 2)).expand(2, x.shape[0]).unsqueeze(2) * tg.ones(3),) * 2),
            nn.LSTM(8, 3, num_layers=2, batch_first=True),
        ),
        SEQUENCE,
    ),
    "LSTM with a projection": (nn.LSTM(8, 4, proj_size=2, batch_first=True), SEQUENCE),
    "MaxUnpool2d": (
        Function(lambda a, b, x: b(*a(x)), nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)), normal(1, 4, 8, 8),
    ),
    "Fold": (Function(lambda a, b, x: b(a(x)), nn.Unfold(3, padding=1), nn.Fold((9, 9), 3, padding=1)), IMAGE),
}  # fmt: skip
