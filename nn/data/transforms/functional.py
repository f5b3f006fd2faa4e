"""The functions behind the transforms."""

from tensorgrad.nn.data.transforms.color import (
    adjust_brightness as adjust_brightness,
    adjust_contrast as adjust_contrast,
    adjust_gamma as adjust_gamma,
    adjust_hue as adjust_hue,
    adjust_saturation as adjust_saturation,
    erase as erase,
    gaussian_blur as gaussian_blur,
    invert as invert,
    rgb_to_grayscale as rgb_to_grayscale,
    to_grayscale as to_grayscale,
)
from tensorgrad.nn.data.transforms.conversion import (
    convert_image_dtype as convert_image_dtype,
    normalize as normalize,
    pil_to_tensor as pil_to_tensor,
    to_pil_image as to_pil_image,
    to_tensor as to_tensor,
)
from tensorgrad.nn.data.transforms.geometry import (
    affine as affine,
    center_crop as center_crop,
    crop as crop,
    five_crop as five_crop,
    hflip as hflip,
    pad as pad,
    resize as resize,
    resized_crop as resized_crop,
    rotate as rotate,
    ten_crop as ten_crop,
    vflip as vflip,
)
from tensorgrad.nn.data.transforms.pictures import (
    get_dimensions as get_dimensions,
    get_image_size as get_image_size,
)
from tensorgrad.nn.data.transforms.resample import InterpolationMode as InterpolationMode
