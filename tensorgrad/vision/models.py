"""PyTorch's `torchvision.models`, and other networks that are known by name."""

from tensorgrad.nn.models.alexnet import (
    AlexNet as AlexNet,
    AlexNetSmall as AlexNetSmall,
    alexnet as alexnet,
)
from tensorgrad.nn.models.densenet import (
    DenseNet as DenseNet,
    DenseNetSmall as DenseNetSmall,
    densenet121 as densenet121,
    densenet169 as densenet169,
)
from tensorgrad.nn.models.ds_cnn import (
    DSCNN as DSCNN,
)
from tensorgrad.nn.models.lenet import (
    LeNet as LeNet,
)
from tensorgrad.nn.models.mobilenet import (
    MobileNetV2 as MobileNetV2,
    mobilenet_v2 as mobilenet_v2,
)
from tensorgrad.nn.models.resnet import (
    ResNet as ResNet,
    resnet18 as resnet18,
    resnet34 as resnet34,
    resnet50 as resnet50,
    resnet101 as resnet101,
    resnet152 as resnet152,
    resnext50_32x4d as resnext50_32x4d,
    wide_resnet50_2 as wide_resnet50_2,
)
from tensorgrad.nn.models.resnet_cifar import (
    CifarResNet as CifarResNet,
    resnet20 as resnet20,
    resnet32 as resnet32,
    resnet44 as resnet44,
    resnet56 as resnet56,
)
from tensorgrad.nn.models.squeezenet import (
    SqueezeNet as SqueezeNet,
    squeezenet1_0 as squeezenet1_0,
    squeezenet1_1 as squeezenet1_1,
)
from tensorgrad.nn.models.unet import (
    UNet as UNet,
)
from tensorgrad.nn.models.vgg import (
    VGG as VGG,
    vgg11 as vgg11,
    vgg11_bn as vgg11_bn,
    vgg13 as vgg13,
    vgg13_bn as vgg13_bn,
    vgg16 as vgg16,
    vgg16_bn as vgg16_bn,
    vgg19 as vgg19,
    vgg19_bn as vgg19_bn,
)
