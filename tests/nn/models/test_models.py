"""The networks: torchvision's numbers of parameters, PyTorch's weights by name, outputs, and every error."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import ArgumentError
from tensorgrad.nn import init, models

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def unset(monkeypatch):
    """Parameters stay unset, so that large networks cost neither time nor memory."""
    for name in ("uniform_", "normal_", "zeros_", "ones_", "constant_", "kaiming_normal_", "kaiming_uniform_"):
        monkeypatch.setattr(init, name, lambda tensor, *args, **kwargs: tensor)


# The counts that torchvision's documentation gives as num_params; those of the others from their authors or by hand.
COUNTS = {
    models.alexnet: 61_100_840,
    models.vgg11: 132_863_336,
    models.vgg11_bn: 132_868_840,
    models.vgg13: 133_047_848,
    models.vgg13_bn: 133_053_736,
    models.vgg16: 138_357_544,
    models.vgg16_bn: 138_365_992,
    models.vgg19: 143_667_240,
    models.vgg19_bn: 143_678_248,
    models.resnet18: 11_689_512,
    models.resnet34: 21_797_672,
    models.resnet50: 25_557_032,
    models.resnet101: 44_549_160,
    models.resnet152: 60_192_808,
    models.resnext50_32x4d: 25_028_904,
    models.wide_resnet50_2: 68_883_240,
    models.mobilenet_v2: 3_504_872,
    models.densenet121: 7_978_856,
    models.densenet169: 14_149_480,
    models.squeezenet1_0: 1_248_424,
    models.squeezenet1_1: 1_235_496,
    models.LeNet: 61_706,
    models.resnet20: 269_722,
    models.resnet32: 464_154,
    models.resnet44: 658_586,
    models.resnet56: 853_018,
    models.DenseNetSmall: 769_162,
}


@pytest.mark.parametrize("make", COUNTS, ids=lambda make: make.__name__)
def test_the_number_of_parameters(unset, make):
    assert sum(math.prod(p.shape) for p in make().parameters()) == COUNTS[make]


# For each network of ours: PyTorch's, and the shape of an input.
PAIRS = {
    "LeNet": (lambda: models.LeNet(), lambda d: d.LeNet(), (2, 1, 32, 32)),
    "AlexNetSmall": (lambda: models.AlexNetSmall(7), lambda d: d.alexnet_small(7), (2, 3, 32, 32)),
    "ResNet-18": (lambda: models.resnet18(num_classes=7), lambda d: d.ResNet((2, 2, 2, 2), False, 7), (2, 3, 40, 50)),
    "ResNet-50": (lambda: models.resnet50(num_classes=7), lambda d: d.ResNet((3, 4, 6, 3), True, 7), (2, 3, 33, 40)),
    "ResNeXt": (
        lambda: models.ResNet(models.resnet.Bottleneck, (1, 1, 1, 1), 7, groups=8, width_per_group=4),
        lambda d: d.ResNet((1, 1, 1, 1), True, 7, 8, 4),
        (2, 3, 33, 40),
    ),
    "ResNet-20": (lambda: models.resnet20(), lambda d: d.CifarResNet(3), (2, 3, 32, 32)),
    "MobileNetV2": (lambda: models.mobilenet_v2(num_classes=7), lambda d: d.MobileNetV2(7), (2, 3, 64, 40)),
    "DenseNet": (
        lambda: models.DenseNet(8, (3, 2, 2), 16, num_classes=7),
        lambda d: d.DenseNet(8, (3, 2, 2), 16, 7),
        (2, 3, 40, 50),
    ),
    "DenseNet, small": (
        lambda: models.DenseNetSmall(6, (2, 3)),
        lambda d: d.DenseNet(6, (2, 3), 12, 10, small=True),
        (2, 3, 32, 32),
    ),
    "SqueezeNet 1.0": (lambda: models.squeezenet1_0(num_classes=7), lambda d: d.SqueezeNet("1_0", 7), (2, 3, 60, 50)),
    "SqueezeNet 1.1": (lambda: models.squeezenet1_1(num_classes=7), lambda d: d.SqueezeNet("1_1", 7), (2, 3, 60, 50)),
    "U-Net": (lambda: models.UNet(3, 2, width=8), lambda d: d.UNet(3, 2, False, 8), (2, 3, 36, 50)),
    "U-Net, bilinear": (lambda: models.UNet(3, 2, True, 8), lambda d: d.UNet(3, 2, True, 8), (2, 3, 36, 50)),
    "DS-CNN": (lambda: models.DSCNN(), lambda d: d.DSCNN(), (2, 1, 49, 10)),
}
# Networks whose linear layers are too large for a test: their names and shapes are compared, and the convolutions run.
LARGE = {
    "AlexNet": (models.alexnet, lambda d: d.alexnet(1000), (1, 3, 70, 90)),
    "VGG-11": (models.vgg11, lambda d: d.vgg(VGG11, False, 1000), (1, 3, 40, 50)),
    "VGG-11, normalized": (models.vgg11_bn, lambda d: d.vgg(VGG11, True, 1000), (1, 3, 40, 50)),
}
VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")


def with_statistics(net, torch):
    """The network with batch norms that have seen data, in evaluation."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
            module.running_var *= 1 + torch.rand(module.running_var.shape, generator=generator)
    return net.eval()


@pytest.mark.oracle
@pytest.mark.parametrize("name", PAIRS)
def test_weights_of_pytorch_load_by_name_and_outputs_agree(unset, name):
    torch = pytest.importorskip("torch")
    import pytorch_networks

    ours, theirs, shape = PAIRS[name]
    torch.manual_seed(0)
    net, other = ours(), with_statistics(theirs(pytorch_networks), torch)
    state = {key: value.numpy() for key, value in other.state_dict().items()}
    assert repr(net.load_state_dict(state)) == "<All keys matched successfully>"
    assert list(net.state_dict()) == list(state)
    # Large inputs reach the bend of ReLU6.
    check_outputs(torch, net, other, shape, 100 if name == "MobileNetV2" else 1)


@pytest.mark.oracle
@pytest.mark.parametrize("name", LARGE)
def test_large_networks_have_pytorchs_parameters(unset, name):
    torch = pytest.importorskip("torch")
    import pytorch_networks

    ours, theirs, shape = LARGE[name]
    net = ours()
    with torch.device("meta"):
        other = theirs(pytorch_networks)
    shapes = {key: tuple(value.shape) for key, value in other.state_dict().items()}
    found = {key: value.shape for key, value in net.state_dict().items()}
    assert found == shapes and list(found) == list(shapes)
    torch.manual_seed(0)
    features = other.features.to_empty(device="cpu")
    for module in features:
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    with_statistics(features, torch)
    net.features.load_state_dict({key: value.numpy() for key, value in features.state_dict().items()})
    check_outputs(torch, net.features, features, shape)


def check_outputs(torch, net, other, shape, scale=1):
    x = np.random.default_rng(0).normal(size=shape, scale=scale).astype(np.float32)
    with torch.no_grad(), tg.no_grad():
        want, got = other(torch.from_numpy(x)).numpy(), net.eval()(tg.Tensor(x)).numpy()
    assert got.dtype == np.float32 and got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.oracle
def test_gradients_of_a_residual_network_agree():
    torch = pytest.importorskip("torch")
    import pytorch_networks

    torch.manual_seed(0)
    net, other = models.CifarResNet(1).to("float64"), pytorch_networks.CifarResNet(1).double()
    net.load_state_dict({key: value.numpy() for key, value in other.state_dict().items()})
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(size=(3, 3, 16, 16)), rng.normal(size=(3, 10))
    (net(tg.Tensor(x)) * upstream).sum().backward()
    (other(torch.from_numpy(x)) * torch.from_numpy(upstream)).sum().backward()
    for (name, p), q in zip(net.named_parameters(), other.parameters(), strict=True):
        assert p.grad is not None
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-7, atol=1e-9, err_msg=name)


def test_initial_values():
    tg.manual_seed(0)
    net = models.resnet18(num_classes=10, zero_init_residual=True)
    assert not net.layer1[0].bn2.weight.numpy().any() and (net.bn1.weight.numpy() == 1).all()
    values = net.layer4[0].conv2.weight.numpy()
    assert np.isclose(np.sqrt((values**2).mean()), np.sqrt(2 / (512 * 9)), rtol=0.01)
    last = models.mobilenet_v2().classifier[1]
    assert np.isclose(np.sqrt((last.weight.numpy() ** 2).mean()), 0.01, rtol=0.01) and not last.bias.numpy().any()


def test_dilation_in_place_of_strides(unset):
    net = models.resnet50(replace_stride_with_dilation=(False, True, True))
    assert net.layer4[1].conv2.dilation == (4, 4) and net.layer4[0].conv2.stride == (1, 1)


def test_a_norm_of_ones_own(unset):
    net = models.resnet18(norm_layer=lambda channels: nn.Identity())
    assert not [name for name, _ in net.named_buffers()]


def test_option_b():
    net = models.resnet20(option="B")
    assert net.layer2[0].shortcut[0].weight.shape == (32, 16, 1, 1)


def test_compiled_is_plain_to_the_bit():
    net = models.UNet(1, 2, bilinear=True, width=2).eval()
    compiled = tg.compile(net)
    for seed in range(4):
        x = tg.Tensor(np.random.default_rng(seed).normal(size=(1, 1, 18, 16)).astype(np.float32))
        np.testing.assert_array_equal(compiled(x).numpy(), net(x).numpy())
    assert compiled.replays > 0


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: models.DSCNN(10, channels=8, num_blocks=2), (4, 1, 49, 10)),
        (lambda: models.DenseNetSmall(6, (2, 2)), (4, 3, 16, 16)),
        (lambda: models.CifarResNet(1), (4, 3, 16, 16)),
        (lambda: models.MobileNetV2(10, 0.25, [(1, 8, 1, 1), (6, 8, 2, 1)]), (4, 3, 16, 16)),
    ],
    ids=["DS-CNN", "DenseNet", "ResNet", "MobileNetV2"],
)
def test_compiled_training_is_plain_to_the_bit(make, shape):
    def trained(compiled):
        tg.manual_seed(0)
        net, rng = make(), np.random.default_rng(0)
        optimizer = nn.optim.SGD(net.parameters(), lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            nn.cross_entropy(net(x), y).backward()
            optimizer.step()

        function = tg.compile(step) if compiled else step
        for _ in range(4):
            x = rng.normal(size=shape).astype(np.float32)
            function(tg.Tensor(x), tg.Tensor(rng.integers(0, 10, shape[0])))
        assert not compiled or function.replays > 0
        return [p.numpy() for p in net.parameters()]

    for got, want in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: models.resnet18(weights="DEFAULT"), "resnet18: weights must be None"),
        (lambda: models.vgg16(pretrained=True), "vgg16: weights must be None"),
        (lambda: models.LeNet(size=30), "size must be one of 28, 32, got 30"),
        (lambda: models.SqueezeNet("2"), "version must be one of '1_0', '1_1'"),
        (lambda: models.resnet20(option="C"), "option must be one of 'A', 'B'"),
        (lambda: models.resnet18(groups=2), "groups must be 1"),
        (lambda: models.resnet50(replace_stride_with_dilation=[True]), "None or three bools, got 1"),
        (lambda: models.MobileNetV2(inverted_residual_setting=[(1, 2)]), "rows of four numbers"),
        (lambda: models.mobilenet.InvertedResidual(4, 4, 3, 1), "stride must be one of 1, 2, got 3"),
    ],
)
def test_errors(unset, make, match):
    with pytest.raises(ArgumentError, match=match):
        make()
