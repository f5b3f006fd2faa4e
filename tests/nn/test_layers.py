"""Layers: beside PyTorch's under random upstream gradients, and what holds without it."""

import pickle
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

# The layer, written in the names that both libraries know, and the shape of its input.
LAYERS = [
    ("Linear(4, 3)", (5, 4)),
    ("Linear(4, 3, bias=False)", (4,)),
    ("Linear(4, 3)", (2, 3, 4)),
    ("Linear(4, 3)", (2, 3, 2, 4)),
    ("Linear(4, 3)", (0, 4)),
    ("Identity(54, unused=1)", (2, 3)),
    ("Conv1d(2, 4, 3)", (2, 2, 9)),
    ("Conv1d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2, bias=False)", (2, 2, 9)),
    ("Conv1d(2, 4, 4, padding='same', dilation=2)", (2, 2, 9)),
    ("Conv1d(2, 4, 3, padding=2, padding_mode='circular')", (2, 9)),
    ("Conv2d(3, 4, 3)", (2, 3, 7, 6)),
    ("Conv2d(3, 4, 3)", (3, 7, 6)),
    ("Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)", (2, 4, 7, 6)),
    ("Conv2d(3, 4, (4, 3), padding='same')", (2, 3, 7, 6)),
    ("Conv2d(3, 4, 3, padding='valid', bias=False)", (2, 3, 7, 6)),
    ("Conv2d(3, 3, 3, groups=3)", (2, 3, 7, 6)),
    ("Conv2d(3, 4, 3, padding=(2, 1), padding_mode='reflect')", (2, 3, 7, 6)),
    ("Conv2d(3, 4, 3, stride=2, padding=2, padding_mode='replicate')", (2, 3, 7, 6)),
    ("Conv2d(3, 4, (4, 3), padding='same', padding_mode='circular')", (2, 3, 7, 6)),
    ("Conv2d(3, 4, 3, padding='same', dilation=2, padding_mode='reflect')", (3, 7, 6)),
    ("MaxPool1d(3, stride=2, padding=1)", (2, 3, 9)),
    ("MaxPool1d(2, dilation=2, ceil_mode=True)", (2, 3, 9)),
    ("MaxPool2d(2)", (2, 3, 7, 6)),
    ("MaxPool2d((3, 2), stride=(1, 2), padding=1, ceil_mode=True)", (2, 3, 7, 6)),
    ("AvgPool1d(3, stride=2, padding=1, count_include_pad=False)", (2, 3, 9)),
    ("AvgPool2d(2)", (2, 3, 7, 6)),
    ("AvgPool2d((3, 2), stride=1, padding=1, ceil_mode=True, divisor_override=5)", (2, 3, 7, 6)),
    ("AvgPool2d(3, padding=1, count_include_pad=False)", (3, 7, 6)),
    ("AdaptiveAvgPool1d(4)", (2, 3, 9)),
    ("AdaptiveAvgPool2d((3, 4))", (2, 3, 7, 6)),
    ("AdaptiveAvgPool2d(1)", (3, 7, 6)),
    ("Conv3d(3, 4, 3)", (2, 3, 4, 5, 6)),
    ("Conv3d(2, 4, (2, 3, 1), stride=(1, 2, 1), padding=1, dilation=(2, 1, 1), groups=2)", (2, 2, 4, 5, 6)),
    ("Conv3d(2, 3, 3, padding='same', padding_mode='circular', bias=False)", (2, 3, 4, 5)),
    ("Conv3d(2, 3, 3, padding=(1, 2, 1), padding_mode='reflect')", (1, 2, 3, 4, 5)),
    ("ConvTranspose1d(2, 3, 3, stride=2, output_padding=1)", (2, 2, 5)),
    ("ConvTranspose2d(4, 6, (3, 2), stride=2, padding=1, groups=2)", (2, 4, 4, 5)),
    ("ConvTranspose2d(2, 3, 3, 3, 0, 2, 1, False, 2)", (2, 4, 5)),
    ("ConvTranspose3d(2, 3, 2, stride=2, bias=False, dilation=(1, 2, 1))", (2, 2, 2, 3, 4)),
    ("MaxPool3d(2)", (2, 3, 4, 5, 6)),
    ("MaxPool3d((1, 2, 3), 2, (0, 1, 1), 1, False, True)", (3, 4, 5, 6)),
    ("AvgPool3d(2, stride=1, padding=1, count_include_pad=False)", (2, 3, 4, 5, 6)),
    ("AdaptiveAvgPool2d((3, None))", (2, 3, 7, 6)),
    ("AdaptiveAvgPool3d((2, None, 1))", (2, 3, 4, 5, 6)),
    ("AdaptiveMaxPool1d(4)", (2, 3, 9)),
    ("AdaptiveMaxPool2d((3, None))", (2, 3, 7, 6)),
    ("AdaptiveMaxPool3d(2)", (2, 3, 4, 5, 6)),
    ("FractionalMaxPool2d(2, (3, 4), _random_samples=RANDOM_2D)", (2, 3, 7, 6)),
    ("FractionalMaxPool3d((1, 2, 3), output_ratio=(0.5, 0.6, 0.5), _random_samples=RANDOM_3D)", (2, 3, 4, 5, 6)),
    ("LPPool1d(2, 3, stride=2)", (2, 3, 9)),
    ("LPPool2d(3, (2, 3))", (2, 3, 7, 6)),
    ("LPPool3d(2, 2, ceil_mode=True)", (2, 3, 4, 5, 6)),
    ("ConstantPad1d(2, 3.5)", (2, 3, 4)),
    ("ConstantPad2d((1, 2, 0, -1), 0.5)", (3, 4, 5)),
    ("ConstantPad3d(1, -1.0)", (2, 3, 2, 2, 3)),
    ("ZeroPad1d((1, 2))", (2, 3, 4)),
    ("ZeroPad2d(1)", (2, 3, 4, 5)),
    ("ZeroPad3d((1, 0, 2, 1, 0, 1))", (2, 3, 2, 2, 3)),
    ("ReflectionPad1d(2)", (2, 3, 4)),
    ("ReflectionPad2d((1, 2, 3, 0))", (2, 3, 4, 5)),
    ("ReflectionPad3d(1)", (2, 2, 3, 3, 4)),
    ("ReplicationPad1d((3, 1))", (2, 4)),
    ("ReplicationPad2d(2)", (2, 3, 4, 5)),
    ("ReplicationPad3d(1)", (1, 2, 2, 3, 4)),
    ("CircularPad1d(2)", (2, 3, 4)),
    ("CircularPad2d((1, 2, 3, 0))", (3, 4, 5)),
    ("CircularPad3d(1)", (1, 2, 2, 3, 4)),
    ("Upsample(scale_factor=2)", (2, 3, 4, 5)),
    ("Upsample(size=(7, 3), mode='bilinear', align_corners=True)", (2, 3, 4, 5)),
    ("Upsample(scale_factor=(1.5, 2), mode='bicubic')", (2, 3, 4, 5)),
    ("Upsample(None, 1.3, 'linear', None, True)", (2, 3, 7)),
    ("UpsamplingNearest2d(scale_factor=3)", (2, 3, 4, 5)),
    ("UpsamplingBilinear2d(size=(5, 9))", (2, 3, 4, 5)),
    ("PixelShuffle(2)", (2, 8, 3, 2)),
    ("PixelUnshuffle(2)", (3, 4, 6)),
    ("ChannelShuffle(2)", (2, 6, 3, 2)),
    ("Unfold(2, padding=1, stride=(2, 1))", (2, 3, 4, 5)),
    ("Fold((4, 5), (2, 3), dilation=1)", (2, 6, 9)),
    ("Flatten()", (2, 3, 4)),
    ("Flatten(0, 1)", (2, 3, 4)),
    ("ReLU()", (3, 4)),
    ("ReLU(inplace=True)", (3, 4)),
    ("LeakyReLU(0.2)", (3, 4)),
    ("ELU(1.5)", (3, 4)),
    ("GELU()", (3, 4)),
    ("GELU(approximate='tanh')", (3, 4)),
    ("SiLU()", (3, 4)),
    ("Softplus(beta=2.0)", (3, 4)),
    ("Sigmoid()", (3, 4)),
    ("Tanh()", (3, 4)),
    ("Softmax(dim=1)", (3, 4, 2)),
    ("LogSoftmax(dim=-1)", (3, 4)),
    ("Dropout(0.0)", (3, 4)),
    ("BatchNorm1d(4)", (5, 4)),
    ("BatchNorm1d(4, momentum=None)", (3, 4, 5)),
    ("BatchNorm1d(4, affine=False)", (5, 4)),
    ("BatchNorm2d(3)", (2, 3, 4, 5)),
    ("BatchNorm2d(3, eps=0.1, momentum=0.3)", (2, 3, 4, 5)),
    ("BatchNorm2d(3, track_running_stats=False)", (2, 3, 4, 5)),
    ("BatchNorm2d(3, affine=False, track_running_stats=False)", (2, 3, 4, 5)),
]


def build(text, lib):
    tensor = tg.tensor if lib is nn else __import__("torch").tensor
    samples = {f"RANDOM_{n}D": tensor(np.random.default_rng(n).random((2, 3, n), "f")) for n in (2, 3)}
    return eval(f"lib.{text}", {"lib": lib, **samples})


@pytest.mark.oracle
@pytest.mark.parametrize(("text", "shape"), LAYERS, ids=lambda v: v if isinstance(v, str) else "x".join(map(str, v)))
def test_layers_agree_with_pytorch(text, shape):
    """Three training steps and one in evaluation: outputs, gradients of the input and of each parameter, buffers."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    ours, theirs = build(text, nn), build(text, torch.nn)
    if "inplace" in text:
        theirs.inplace = False  # theirs would overwrite the leaf whose gradient is wanted
    for p in ours.parameters():
        nn.init.normal_(p, generator=rng)
    theirs.load_state_dict({name: torch.tensor(t.numpy()) for name, t in ours.state_dict().items()})
    for mode in (True, True, True, False):
        ours.train(mode), theirs.train(mode)
        ours.zero_grad(), theirs.zero_grad()
        values = (rng.standard_normal(shape) * 2 + 1).astype("f")
        x, x_ = tg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        z, z_ = ours(x), theirs(x_)
        np.testing.assert_allclose(z.numpy(), z_.detach().numpy(), rtol=1e-4, atol=2e-6)
        assert z.dtype == np.float32
        upstream = rng.standard_normal(z.shape).astype("f")
        z.backward(upstream), z_.backward(torch.from_numpy(upstream))
        np.testing.assert_allclose(x.grad.numpy(), x_.grad.numpy(), rtol=1e-3, atol=1e-5, err_msg="x.grad")
        for (name, p), p_ in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), p_.grad.numpy(), rtol=1e-3, atol=2e-5, err_msg=name)
        for (name, b), b_ in zip(ours.named_buffers(), theirs.buffers(), strict=True):
            np.testing.assert_allclose(b.numpy(), b_.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
            assert b.numpy().dtype == b_.numpy().dtype


@pytest.mark.oracle
@pytest.mark.parametrize(
    "text", sorted({text for text, _ in LAYERS if "Softplus" not in text and "Dropout" not in text})
)
def test_layers_look_like_pytorchs(text):
    torch = pytest.importorskip("torch")
    # Newer versions of theirs show a `bias` in batch normalization.
    assert repr(build(text, nn)) == re.sub(r"bias=\w+, track", "track", repr(build(text, torch.nn)))


SMALL = [
    ("Linear(3, 2)", (2, 2, 3)),
    ("Conv1d(2, 2, 2, padding=1, padding_mode='replicate')", (1, 2, 4)),
    ("Conv2d(1, 2, 2, padding='same', padding_mode='reflect')", (1, 1, 3, 4)),
    ("Conv2d(2, 2, 2, padding=1, groups=2)", (1, 2, 3, 3)),
    ("BatchNorm1d(3)", (4, 3)),
    ("BatchNorm2d(2)", (2, 2, 2, 3)),
    ("BatchNorm2d(2, affine=False)", (2, 2, 2, 3)),
    ("AdaptiveAvgPool2d((2, 3))", (1, 2, 3, 4)),
    ("Conv3d(1, 2, 2, padding=1, padding_mode='reflect')", (1, 1, 2, 2, 3)),
    ("ConvTranspose2d(2, 2, 2, stride=2, padding=1, output_padding=1)", (1, 2, 2, 3)),
    ("Upsample(scale_factor=2, mode='bicubic')", (1, 1, 2, 3)),
]


@pytest.mark.parametrize(("text", "shape"), SMALL, ids=[text for text, _ in SMALL])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_input_and_parameters(text, shape, training):
    rng = np.random.default_rng(2)
    layer = build(text, nn).train(training).to("float64")
    names = [name for name, _ in layer.named_parameters()]
    values = [rng.standard_normal(p.shape) for p in layer.parameters()]

    def run(x, *values):
        vars(layer).update(zip(names, values, strict=True))  # past the guard: tensors in the place of the parameters
        return layer(x)

    assert tg.gradcheck(run, [rng.standard_normal(shape), *values])


def test_reshaping_a_batch_of_rows_changes_nothing_in_linear():
    layer = nn.Linear(4, 3)
    x = tg.rand(2, 5, 4)
    assert layer(x).shape == (2, 5, 3) and layer(x[0, 0]).shape == (3,) and layer(x[:0]).shape == (0, 5, 3)
    # A product of one row and one of ten sum in another order, and a sum may come near 0: hence the absolute tolerance.
    np.testing.assert_allclose(layer(x).numpy()[1, 2], layer(x[1, 2]).numpy(), rtol=1e-6, atol=1e-6)


def test_counts_of_parameters_in_the_lessons():
    def count(layer):
        return sum(p.numel() for p in layer.parameters())

    assert count(nn.Conv1d(1, 1, 3)) == 4
    assert count(nn.Linear(10, 10)) == 110
    assert count(nn.Conv2d(1, 6, 5)) == 156 and count(nn.Conv2d(3, 6, 5)) == 456
    assert count(nn.Sequential(nn.Linear(784, 16), nn.Linear(16, 16), nn.Linear(16, 10))) == 13_002


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), tg.ArgumentError),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), tg.ArgumentError),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), tg.ArgumentError),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), tg.ArgumentError),
        (lambda: nn.Conv2d(3, 0, 3), tg.ArgumentError),
        (lambda: nn.Conv2d(3, 4, 2.5), tg.DTypeError),
        (lambda: nn.Linear(-1, 3), tg.ArgumentError),
        (lambda: nn.Linear(2.0, 3), tg.DTypeError),
        (lambda: nn.Dropout(1.5), tg.ArgumentError),
        (lambda: nn.BatchNorm2d(0), tg.ArgumentError),
        (lambda: nn.Linear(4, 3)(tg.ones(2, 5)), tg.ShapeError),
        (lambda: nn.Linear(4, 3)(tg.ones(1)), tg.ShapeError),
        (lambda: nn.Linear(4, 3)(tg.tensor(1.0)), tg.ShapeError),
        (lambda: nn.Conv2d(3, 4, 3)(tg.ones(2, 2, 8, 8)), tg.ShapeError),
        (lambda: nn.Conv2d(3, 4, 3, padding=9, padding_mode="reflect")(tg.ones(2, 3, 8, 8)), tg.ShapeError),
        (lambda: nn.BatchNorm2d(3)(tg.ones(2, 4, 8, 8)), tg.ShapeError),
        (lambda: nn.BatchNorm2d(3)(tg.ones(2, 3, 8)), tg.ShapeError),
        (lambda: nn.BatchNorm1d(3)(tg.ones(2, 3, 8, 8)), tg.ShapeError),
        (lambda: nn.BatchNorm2d(3)(tg.ones(1, 3, 1, 1)), tg.ShapeError),
        (lambda: nn.BatchNorm1d(3)(tg.ones(1, 3)), tg.ShapeError),
    ],
)
def test_what_layers_refuse(make, error):
    with pytest.raises(error, match=r"\w+: .*\n  \w+"):
        make()


def test_a_single_value_per_channel_is_fine_in_evaluation_and_tracks_nothing():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(tg.ShapeError, match="more than one value per channel"):
        layer(tg.ones(1, 3))
    assert (layer.running_mean.data == 0).all() and layer.num_batches_tracked.item() == 0
    assert layer.eval()(tg.ones(1, 3)).shape == (1, 3)


def test_running_statistics_by_hand():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4, 2, 3, 3)).astype("f") * 3 + 5
    layer = nn.BatchNorm2d(2, momentum=0.25)
    z = layer(tg.tensor(x)).numpy()
    np.testing.assert_allclose(z.mean((0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(z.var((0, 2, 3)), 1, atol=1e-4)
    np.testing.assert_allclose(layer.running_mean, 0.25 * x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var, 0.75 + 0.25 * x.var((0, 2, 3), ddof=1), rtol=1e-5)
    kept = layer.running_mean.data.copy()
    layer.eval()(tg.tensor(x))
    np.testing.assert_array_equal(layer.running_mean, kept)
    assert layer.num_batches_tracked.item() == 1 and layer.num_batches_tracked.dtype == np.int64
    layer.reset_parameters()
    assert layer.num_batches_tracked.item() == 0 and (layer.running_var.data == 1).all()


def test_an_empty_batch_passes_through_batch_norm_and_spoils_nothing():
    layer = nn.BatchNorm2d(2)
    z = layer(tg.zeros(0, 2, 3, 3))
    z.backward(np.zeros(z.shape, "f"))
    assert z.shape == (0, 2, 3, 3) and (layer.weight.grad.data == 0).all() and (layer.bias.grad.data == 0).all()
    assert (layer.running_mean.data == 0).all() and (layer.running_var.data == 1).all()


def test_batch_norm_itself_takes_an_empty_batch_and_mixed_dtypes():
    assert tg.batch_norm(tg.zeros(0, 2), training=True).shape == (0, 2)
    rng = np.random.default_rng(5)
    x = tg.Tensor(rng.standard_normal((4, 2)), requires_grad=True)
    w, b = (tg.Tensor(rng.standard_normal(2).astype("f"), requires_grad=True) for _ in range(2))
    upstream = rng.standard_normal((4, 2))
    tg.batch_norm(x, None, None, w, b, training=True).backward(upstream)
    assert (x.grad.dtype, w.grad.dtype, b.grad.dtype) == (np.float64, np.float32, np.float32)
    np.testing.assert_allclose(b.grad.data, upstream.sum(0), rtol=1e-6)


@pytest.mark.parametrize(
    "layer", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]
)
def test_a_dropout_probability_is_a_number(layer):
    for p in ("0.5", None, [0.5], b"x", tg.relu):
        with pytest.raises(tg.DTypeError, match=f"{layer}: p must be a number"):
            getattr(nn, layer)(p)
    assert getattr(nn, layer)(np.float32(0.5)).p == 0.5


def test_dropout_drops_in_training_only_and_from_the_seeded_generator():
    layer, x = nn.Dropout(0.25), tg.ones(20_000)
    tg.manual_seed(0)
    first = layer(x).numpy()
    assert set(np.unique(first)) == {0, np.float32(4 / 3)} and abs((first == 0).mean() - 0.25) < 0.02
    tg.manual_seed(0)
    np.testing.assert_array_equal(layer(x).numpy(), first)
    assert layer.eval()(x) is x


RANKED = sorted({name[:-2] for name in nn.layers.__all__ if re.fullmatch(r"\w+[123]d", name)})


@pytest.mark.parametrize("kind", RANKED)
def test_layers_of_several_ranks_are_classes_of_their_own(kind):
    found = {rank: getattr(nn, f"{kind}{rank}d") for rank in (1, 2, 3) if hasattr(nn, f"{kind}{rank}d")}
    for rank, layer in found.items():
        assert layer.__name__ == layer.__qualname__ == f"{kind}{rank}d" and layer.__doc__
        assert pickle.loads(pickle.dumps(layer)) is layer
        assert not [other for other in found.values() if other is not layer and issubclass(layer, other)]


def test_identity_returns_the_very_same():
    x = tg.ones(2)
    assert nn.Identity()(x) is x


def test_padding_modes_by_hand():
    layer = nn.Conv1d(1, 1, 1, padding=2, padding_mode="circular", bias=False)
    nn.init.ones_(layer.weight)
    x = tg.tensor([[[1.0, 2.0, 3.0]]])
    assert layer(x).flatten().tolist() == [2, 3, 1, 2, 3, 1, 2]
    layer.padding_mode = "reflect"
    assert layer(x).flatten().tolist() == [3, 2, 1, 2, 3, 2, 1]


def test_a_small_network_learns_xor():
    tg.manual_seed(3)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    x, y = tg.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), tg.tensor([0, 1, 1, 0])
    for _ in range(300):
        net.zero_grad()
        nn.cross_entropy(net(x), y).backward()
        with tg.no_grad():
            for p in net.parameters():
                p -= 0.5 * p.grad
    assert net(x).argmax(axis=1).tolist() == [0, 1, 1, 0] and nn.cross_entropy(net(x), y).item() < 0.05
