"""Networks that are known by name, with PyTorch's names of parameters, so that its weights load."""

from tensorgrad.nn.models.alexnet import AlexNet, AlexNetSmall, alexnet
from tensorgrad.nn.models.densenet import DenseNet, DenseNetSmall, densenet121, densenet169
from tensorgrad.nn.models.ds_cnn import DSCNN
from tensorgrad.nn.models.lenet import LeNet
from tensorgrad.nn.models.mobilenet import MobileNetV2, mobilenet_v2
from tensorgrad.nn.models.resnet import (
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    wide_resnet50_2,
)
from tensorgrad.nn.models.resnet_cifar import CifarResNet, resnet20, resnet32, resnet44, resnet56
from tensorgrad.nn.models.squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from tensorgrad.nn.models.unet import UNet
from tensorgrad.nn.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn

__all__ = [
    "DSCNN",
    "VGG",
    "AlexNet",
    "AlexNetSmall",
    "CifarResNet",
    "DenseNet",
    "DenseNetSmall",
    "LeNet",
    "MobileNetV2",
    "ResNet",
    "SqueezeNet",
    "UNet",
    "alexnet",
    "densenet121",
    "densenet169",
    "mobilenet_v2",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet50_2",
]
