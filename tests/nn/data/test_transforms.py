"""Transforms: each against Pillow's or NumPy's own result, on images, arrays and Tensors; random ones by their seed."""

import colorsys
import itertools
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.nn.data import DataLoader, Dataset, transforms as T
from tensorgrad.nn.data.transforms import InterpolationMode, functional as F
from tensorgrad.nn.data.transforms.geometry import inverse_affine

Image = pytest.importorskip("PIL.Image")
ImageEnhance = pytest.importorskip("PIL.ImageEnhance")
ImageOps = pytest.importorskip("PIL.ImageOps")

FILTERS = ["NEAREST", "BILINEAR", "BICUBIC", "BOX", "HAMMING", "LANCZOS"]


def pixels(height=13, width=17, channels=3, seed=0):
    shape = (height, width, channels) if channels else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def image(*args, **kwargs):
    return Image.fromarray(pixels(*args, **kwargs))


def tensor(array):
    return tg.Tensor(np.ascontiguousarray(array.transpose(2, 0, 1) if array.ndim == 3 else array[None]))


def everywhere(function, want, array, tolerance=0):
    """The function gives `want` (H, W, C) for the image, the array and the Tensor with these pixels."""
    for got in (function(Image.fromarray(array)), function(array), function(tensor(array))):
        found = got.numpy().transpose(1, 2, 0) if isinstance(got, tg.Tensor) else np.asarray(got)
        found = found.reshape(want.shape)
        assert found.dtype == want.dtype
        assert np.abs(found.astype(int) - want.astype(int)).max() <= tolerance


# ----------------------------------------------------------------------------------------------------- sizes and places


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size", [(5, 9), (30, 20), (13, 4), (1, 1)])
@pytest.mark.parametrize("channels", [3, 0])
def test_resize_is_pillows(name, size, channels):
    array = pixels(channels=channels)
    want = np.asarray(Image.fromarray(array).resize(size[::-1], Image.Resampling[name]))
    if name == "NEAREST":
        np.testing.assert_array_equal(F.resize(array, size, InterpolationMode.NEAREST), want)
        np.testing.assert_array_equal(F.resize(Image.fromarray(array), size, 0), want)
        got = F.resize(tensor(array), size, InterpolationMode.NEAREST_EXACT).numpy()
        np.testing.assert_array_equal(got, tensor(want).numpy())
    else:
        everywhere(lambda img: F.resize(img, size, InterpolationMode[name]), want, array)


@pytest.mark.parametrize("name", FILTERS[1:])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(5, 9), (30, 20)])
def test_resize_of_floats_is_pillows(name, dtype, size):
    x = np.random.default_rng(0).normal(size=(2, 3, 13, 17)).astype(dtype)
    got = F.resize(tg.Tensor(x), size, InterpolationMode[name]).numpy()
    assert got.dtype == dtype
    for k, c in itertools.product(range(2), range(3)):
        want = Image.fromarray(x[k, c].astype(np.float32)).resize(size[::-1], Image.Resampling[name])
        np.testing.assert_allclose(got[k, c], np.asarray(want), rtol=0, atol=1e-5)


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(25))
def test_resize_is_pytorchs_interpolation(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 3, *rng.integers(2, 12, 2)))
    size = tuple(int(n) for n in rng.integers(2, 25, 2))
    mode, antialias = rng.choice(["bilinear", "bicubic", "nearest", "nearest-exact"]), bool(rng.integers(2))
    options = {"antialias": antialias, "align_corners": False} if mode[0] == "b" else {}
    want = torch.nn.functional.interpolate(torch.from_numpy(x), size, mode=mode, **options).numpy()
    got = F.resize(tg.Tensor(x), size, InterpolationMode(mode), antialias=antialias).numpy()
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_pixels_are_pytorchs(mode):
    torch = pytest.importorskip("torch")
    for size, new in itertools.product(range(1, 30), range(1, 30)):
        x = np.arange(size, dtype=np.float32).reshape(1, 1, 1, size)
        want = torch.nn.functional.interpolate(torch.from_numpy(x), (1, new), mode=mode).numpy()
        np.testing.assert_array_equal(F.resize(tg.Tensor(x), (1, new), InterpolationMode(mode)).numpy(), want)


@pytest.mark.parametrize(
    ("now", "size", "longest", "want"),
    [
        ((20, 30), 10, None, (10, 15)),
        ((30, 20), 10, None, (15, 10)),
        ((30, 20), [10], None, (15, 10)),
        ((20, 30), (7, 8), None, (7, 8)),
        ((10, 100), 20, 50, (5, 50)),
        ((11, 17), 20, 50, (20, 30)),
    ],
)
def test_sizes(now, size, longest, want):
    array = pixels(*now)
    assert F.resize(array, size, max_size=longest).shape[:2] == want
    assert T.Resize(size, max_size=longest)(Image.fromarray(array)).size == want[::-1]
    assert F.resize(tensor(array), size, max_size=longest).shape == (3, *want)


@pytest.mark.parametrize("box", [(2, 3, 5, 6), (-2, -3, 8, 9), (10, 14, 7, 7), (0, 0, 20, 30), (20, 20, 3, 3)])
def test_crop_is_pillows(box):
    top, left, h, w = box
    array = pixels()
    want = np.asarray(Image.fromarray(array).crop((left, top, left + w, top + h)))
    everywhere(lambda img: F.crop(img, *box), want, array)


@pytest.mark.parametrize("size", [5, (4, 7), (13, 17), (20, 6), (30, 31)])
def test_center_crop(size):
    h, w = (size, size) if isinstance(size, int) else size
    array = pixels()
    padded = np.zeros((max(13, h) + 2, max(17, w) + 2, 3), np.uint8)
    padded[(up := max(h - 13, 0) // 2) : up + 13, (left := max(w - 17, 0) // 2) : left + 17] = array
    top, beside = round((max(13, h) - h) / 2), round((max(17, w) - w) / 2)
    everywhere(T.CenterCrop(size), padded[top : top + h, beside : beside + w], array)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("padding", [2, (1, 3), (0, 1, 2, 3), [0]])
@pytest.mark.parametrize("channels", [3, 0])
def test_pad_is_numpys(mode, padding, channels):
    array = pixels(channels=channels)
    sides = [padding] if isinstance(padding, int) else list(padding)
    left, top, right, bottom = (sides * 4)[:4]
    want = np.pad(array, [(top, bottom), (left, right), (0, 0)][: array.ndim], mode)
    everywhere(T.Pad(padding, padding_mode=mode), want, array)


def test_pad_with_a_colour():
    array = pixels()
    want = np.asarray(ImageOps.expand(Image.fromarray(array), (1, 2, 3, 4), (10, 20, 30)))
    everywhere(lambda img: F.pad(img, (1, 2, 3, 4), (10, 20, 30)), want, array)


def test_flips():
    array = pixels()
    everywhere(F.hflip, array[:, ::-1], array)
    everywhere(F.vflip, array[::-1], array)
    everywhere(T.RandomHorizontalFlip(1), array[:, ::-1], array)
    everywhere(T.RandomVerticalFlip(p=1.0), array[::-1], array)
    everywhere(T.RandomHorizontalFlip(0), array, array)


def test_five_and_ten_crops():
    array = pixels()
    five = T.FiveCrop((4, 5))(array)
    wanted = array[:4, :5], array[:4, -5:], array[-4:, :5], array[-4:, -5:], array[4:8, 6:11]
    for got, want in zip(five, wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    ten = T.TenCrop((4, 5))(tensor(array))
    np.testing.assert_array_equal(ten[5].numpy(), tensor(array[:, ::-1][:4, :5]).numpy())


@pytest.mark.parametrize("name", ["NEAREST", "BILINEAR", "BICUBIC"])
@pytest.mark.parametrize("options", [{}, {"expand": True}, {"center": (3, 4)}, {"fill": (9, 8, 7)}], ids=str)
@pytest.mark.parametrize("angle", [0, 30, 90, -200.5])
def test_rotate_is_pillows(name, options, angle):
    array = pixels()
    given = {("fillcolor" if key == "fill" else key): value for key, value in options.items()}
    want = np.asarray(Image.fromarray(array).rotate(angle, Image.Resampling[name], **given))
    everywhere(lambda img: F.rotate(img, angle, InterpolationMode[name], **options), want, array)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_nearest_pixels_are_moved_exactly(dtype):
    x = np.random.default_rng(0).normal(size=(2, 9, 9)).astype(dtype)
    got = F.rotate(tg.Tensor(x), 90).numpy()
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.rot90(x, axes=(1, 2)))
    np.testing.assert_array_equal(F.rotate(tg.Tensor(x), 45, fill=1).numpy()[:, 0, 0], np.ones(2, dtype))


@pytest.mark.parametrize("name", ["NEAREST", "BILINEAR", "BICUBIC"])
@pytest.mark.parametrize("seed", range(4))
def test_affine_is_pillows_with_the_inverse_of_the_matrices(name, seed):
    rng = np.random.default_rng(seed)
    angle, scale, (sx, sy) = rng.uniform(-180, 180), rng.uniform(0.5, 2), rng.uniform(-30, 30, 2)
    move, center = rng.integers(-3, 4, 2).tolist(), rng.uniform(3, 9, 2).tolist()
    r, tx, ty = math.radians(angle), math.tan(math.radians(sx)), math.tan(math.radians(sy))
    shear_x, shear_y = np.array([[1, -tx, 0], [0, 1, 0], [0, 0, 1]]), np.array([[1, 0, 0], [-ty, 1, 0], [0, 0, 1]])
    turn = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    shift = lambda x, y: np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])  # noqa: E731
    m = shift(*move) @ shift(*center) @ turn @ shear_y @ shear_x @ np.diag([scale, scale, 1])
    inverse = np.linalg.inv(m @ shift(-center[0], -center[1]))
    matrix = inverse_affine(tuple(center), angle, tuple(move), scale, (sx, sy))
    np.testing.assert_allclose(matrix, inverse[:2].ravel(), rtol=1e-9, atol=1e-9)
    array = pixels()
    want = Image.fromarray(array).transform((17, 13), Image.Transform.AFFINE, matrix, Image.Resampling[name])
    arguments = angle, move, scale, (sx, sy), InterpolationMode[name]
    everywhere(lambda img: F.affine(img, *arguments, center=center), np.asarray(want), array)


@pytest.mark.seeds(30)
def test_generated_calls_are_pillows(seed):
    rng = np.random.default_rng(seed)
    height, width = (int(n) for n in rng.integers(1, 20, 2))
    array = pixels(height, width, int(rng.choice([0, 3])), seed)
    image = Image.fromarray(array)
    size, name = tuple(int(n) for n in rng.integers(1, 30, 2)), str(rng.choice(FILTERS))
    want = np.asarray(image.resize(size[::-1], Image.Resampling[name]))
    np.testing.assert_array_equal(F.resize(array, size, InterpolationMode[name]), want)
    angle, expand, name = float(rng.uniform(-360, 360)), bool(rng.integers(2)), str(rng.choice(FILTERS[:3]))
    want = np.asarray(image.rotate(angle, Image.Resampling[name], expand))
    everywhere(lambda img: F.rotate(img, angle, InterpolationMode[name], expand), want, array)
    if name == "NEAREST":
        np.testing.assert_array_equal(F.rotate(array.astype(np.int64), angle, expand=expand), want)
    top, left, h, w = (int(n) for n in (*rng.integers(-25, 25, 2), *rng.integers(1, 30, 2)))
    want = np.asarray(image.crop((left, top, left + w, top + h)))
    everywhere(lambda img: F.crop(img, top, left, h, w), want, array)


# -------------------------------------------------------------------------------------------------------------- colours


@pytest.mark.parametrize("factor", [0, 0.3, 1, 1.7])
@pytest.mark.parametrize("kind", ["Brightness", "Contrast", "Color"])
def test_enhancements_are_pillows(kind, factor):
    array = pixels()
    want = np.asarray(getattr(ImageEnhance, kind)(Image.fromarray(array)).enhance(factor))
    function = {"Brightness": F.adjust_brightness, "Contrast": F.adjust_contrast, "Color": F.adjust_saturation}[kind]
    # Grey values are rounded down here, as in PyTorch, and to the nearest in Pillow.
    everywhere(lambda img: function(img, factor), want, array, tolerance=2)
    np.testing.assert_array_equal(np.asarray(function(Image.fromarray(array), factor)), want)
    floats = function(tensor(array).astype("float64") / 255, factor).numpy().transpose(1, 2, 0) * 255
    assert np.abs(floats - want).max() < 3


@pytest.mark.parametrize("factor", [-0.5, -0.2, 0, 0.1, 0.5])
def test_hues(factor):
    x = np.random.default_rng(0).random((3, 6, 5))
    x[:, 0] = 0.4  # grey
    got = F.adjust_hue(tg.Tensor(x), factor).numpy()
    for i, j in itertools.product(range(6), range(5)):
        h, s, v = colorsys.rgb_to_hsv(*x[:, i, j])
        np.testing.assert_allclose(got[:, i, j], colorsys.hsv_to_rgb((h + factor) % 1, s, v), atol=1e-12)
    array = pixels()
    hsv = np.array(Image.fromarray(array).convert("HSV"))
    hsv[..., 0] += np.uint8(int(factor * 255) % 256)
    want = np.asarray(Image.fromarray(hsv, "HSV").convert("RGB")) if factor else array
    assert np.abs(np.asarray(F.adjust_hue(Image.fromarray(array), factor)).astype(int) - want).max() <= 6
    assert np.abs(F.adjust_hue(array, factor).astype(int) - want).max() <= 16  # Pillow's hues are bytes


def test_grey():
    array = pixels()
    want = (array @ np.array([0.2989, 0.587, 0.114])).astype(np.uint8)
    everywhere(T.Grayscale(), want, array, tolerance=1)
    everywhere(T.Grayscale(3), np.stack([want] * 3, -1), array, tolerance=1)
    assert T.RandomGrayscale(1)(tensor(array)).shape == (3, 13, 17)
    assert T.RandomGrayscale(1)(tensor(pixels(channels=0))).shape == (1, 13, 17)
    assert T.RandomGrayscale(1)(image()).mode == "RGB"


def test_invert_and_gamma():
    array = pixels()
    everywhere(F.invert, 255 - array, array)
    want = (255.999 * (array / 255.0) ** 2.2).astype(np.uint8)
    everywhere(lambda img: F.adjust_gamma(img, 2.2), want, array, tolerance=1)


@pytest.mark.oracle
@pytest.mark.parametrize(("size", "sigma"), [((3, 5), (0.5, 1.5)), ((1, 7), (1.0, 2.0)), ((5, 5), (0.1, 0.1))])
def test_blur_is_a_convolution(size, sigma):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).random((2, 3, 9, 8))
    kernels = [np.exp(-0.5 * ((np.arange(k) - k // 2) / s) ** 2) for k, s in zip(size, sigma, strict=True)]
    kernel = np.outer(kernels[1] / kernels[1].sum(), kernels[0] / kernels[0].sum())
    border = [size[0] // 2] * 2 + [size[1] // 2] * 2
    padded = torch.nn.functional.pad(torch.from_numpy(x), border, mode="reflect")
    want = torch.nn.functional.conv2d(padded, torch.from_numpy(np.stack([kernel[None]] * 3)), groups=3).numpy()
    np.testing.assert_allclose(F.gaussian_blur(tg.Tensor(x), size, sigma).numpy(), want, rtol=1e-12)


def test_blur_of_bytes():
    array = pixels()
    want = np.rint(F.gaussian_blur(tensor(array).astype("float64"), 5, 1.0).numpy().transpose(1, 2, 0)).astype(np.uint8)
    everywhere(lambda img: F.gaussian_blur(img, 5, 1.0), want, array)
    everywhere(T.GaussianBlur(5, 1.0), want, array)


def test_erasing():
    x = tg.ones(3, 20, 20)
    for seed in range(20):
        erased = T.RandomErasing(1, value=(1, 2, 3), generator=seed)(x).numpy()
        rows, columns = np.nonzero(erased[1] == 2)
        h, w = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
        assert len(rows) == h * w and 0.01 * 400 <= h * w <= 0.4 * 400 and (erased[2][rows, columns] == 3).all()
    noise = T.RandomErasing(1, value="random", generator=0)(x).numpy()
    assert len(np.unique(noise)) > 20 and (x.numpy() == 1).all()
    array = np.ones((20, 20, 3))
    assert (T.RandomErasing(1, generator=0, inplace=True)(array) == 0).any() and (array == 0).any()
    assert (T.RandomErasing(1, generator=0)(np.ones((20, 20))) == 0).any()


# ---------------------------------------------------------------------------------------------------------- conversions


def test_to_tensor():
    array = pixels()
    for got in (T.ToTensor()(Image.fromarray(array)), T.ToTensor()(array)):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got.numpy(), array.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    floats = T.ToTensor()(np.zeros((2, 3)))
    assert floats.shape == (1, 2, 3) and floats.dtype == np.float64
    bits = T.ToTensor()(Image.fromarray(array[..., 0] > 127))
    np.testing.assert_array_equal(bits.numpy()[0], (array[..., 0] > 127).astype(np.float32))


def test_sixteen_bits_stay_what_they_are():
    deep = np.array([[0, 1, 32768, 65535]], np.uint16)
    for got in (T.ToTensor()(Image.fromarray(deep)), T.PILToTensor()(Image.fromarray(deep))):
        assert got.dtype == np.int32 and got.tolist() == [deep.tolist()]


def test_images_of_every_mode():
    for mode, channels in (("1", 1), ("L", 1), ("LA", 2), ("P", 1), ("RGB", 3), ("RGBA", 4), ("CMYK", 4), ("YCbCr", 3)):
        got = T.PILToTensor()(image().convert(mode))
        assert got.shape == (channels, 13, 17) and got.dtype == np.uint8


def test_a_palette_survives():
    colours = image().convert("P", palette=Image.Palette.ADAPTIVE)
    for function in (F.hflip, lambda img: F.pad(img, 2, padding_mode="edge"), lambda img: F.crop(img, 1, 1, 5, 5)):
        assert function(colours).getpalette() == colours.getpalette() and function(colours).mode == "P"
    assert F.pad(colours, 1, fill=3).getpixel((0, 0)) == 3


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_there_and_back(channels):
    array = pixels(channels=channels)
    for given in (array, tensor(array), tensor(array).astype("float32") / 255):
        back = T.ToPILImage()(given)
        np.testing.assert_array_equal(np.asarray(back).reshape(array.shape), array)
    assert T.ToPILImage("HSV")(pixels()).mode == "HSV" and T.ToPILImage()(np.zeros((2, 2), np.float32)).mode == "F"


def test_dtypes_are_scaled():
    x = tg.Tensor(np.array([[[0, 128, 255]]], np.uint8))
    assert T.ConvertImageDtype("float32")(x).tolist() == [[[0, np.float32(128) / np.float32(255), 1]]]
    assert F.convert_image_dtype(x, "int32").tolist() == [[[0, 128 << 23, 255 << 23]]]
    assert F.convert_image_dtype(F.convert_image_dtype(x, "int32"), "uint8").tolist() == x.tolist()
    assert F.convert_image_dtype(F.convert_image_dtype(x, "float64"), "uint8").tolist() == x.tolist()
    with pytest.raises(DTypeError, match="24 bits"):
        F.convert_image_dtype(tg.ones(1, 1, 1), "int64")


def test_normalize():
    x = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    mean, std = np.float32([0.1, 0.2, 0.3]), np.float32([0.5, 0.6, 0.7])
    want = (x - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_array_equal(T.Normalize([0.1, 0.2, 0.3], (0.5, 0.6, 0.7))(tg.Tensor(x)).numpy(), want)
    got = F.normalize(x[0].transpose(1, 2, 0), mean, std)
    np.testing.assert_array_equal(got.transpose(2, 0, 1), want[0])


# ------------------------------------------------------------------------------------------------------- random choices


RANDOM = {
    "RandomHorizontalFlip": lambda g: T.RandomHorizontalFlip(generator=g),
    "RandomVerticalFlip": lambda g: T.RandomVerticalFlip(generator=g),
    "RandomCrop": lambda g: T.RandomCrop(7, padding=4, generator=g),
    "RandomResizedCrop": lambda g: T.RandomResizedCrop(9, generator=g),
    "RandomRotation": lambda g: T.RandomRotation(30, generator=g),
    "RandomAffine": lambda g: T.RandomAffine(30, (0.3, 0.3), (0.5, 2), (-20, 20, -10, 10), generator=g),
    "ColorJitter": lambda g: T.ColorJitter(0.5, 0.5, (0.5, 2), 0.3, generator=g),
    "RandomGrayscale": lambda g: T.RandomGrayscale(0.5, generator=g),
    "GaussianBlur": lambda g: T.GaussianBlur(3, generator=g),
    "RandomErasing": lambda g: T.RandomErasing(generator=g),
    "RandomApply": lambda g: T.RandomApply([F.hflip], generator=g),
    "RandomChoice": lambda g: T.RandomChoice([F.hflip, F.vflip], generator=g),
    "RandomOrder": lambda g: T.RandomOrder([F.hflip, lambda img: F.rotate(img, 90)], generator=g),
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_decides_and_draws_differ(name):
    x = tensor(pixels())

    def draws(transform):
        return [transform(x).tolist() for _ in range(12)]

    first = draws(RANDOM[name](7))
    assert first == draws(RANDOM[name](np.random.default_rng(7))) and any(draw != first[0] for draw in first)
    tg.manual_seed(5)
    own = draws(RANDOM[name](None))
    tg.manual_seed(5)
    assert own == draws(RANDOM[name](None))


def test_crops_cover_every_place():
    array = np.arange(20).reshape(4, 5)
    corners = {T.RandomCrop(2, generator=k)(array)[0, 0] for k in range(300)}
    assert corners == set(array[:3, :4].ravel().tolist())
    assert T.RandomCrop((6, 7), pad_if_needed=True, generator=0)(array).shape == (6, 7)
    with pytest.raises(ArgumentError, match="at most the picture's 4 × 5, got 6 × 6"):
        T.RandomCrop(6)(array)


def test_resized_crops_have_areas_and_shapes_within_their_ranges():
    random = np.random.default_rng(0)
    array = np.zeros((100, 120))
    for _ in range(200):
        top, left, h, w = T.RandomResizedCrop.get_params(array, (0.2, 0.5), (0.5, 2), random)
        assert 0 <= top <= 100 - h and 0 <= left <= 120 - w
        assert 0.19 < h * w / 12000 < 0.51 and 0.49 < w / h < 2.03
    assert T.RandomResizedCrop.get_params(np.zeros((10, 1000)), (0.9, 1), (0.9, 1.1)) == (0, 494, 10, 11)


def test_random_numbers_of_affine_lie_in_their_ranges():
    random = np.random.default_rng(0)
    found = [
        T.RandomAffine.get_params((-9, 9), (0.1, 0.2), (0.5, 2), (-5, 5, 1, 2), (50, 40), random) for _ in range(200)
    ]
    assert all(abs(a) <= 9 and abs(t[0]) <= 5 and abs(t[1]) <= 8 and 0.5 <= s <= 2 for a, t, s, _ in found)
    assert all(abs(x) <= 5 and 1 <= y <= 2 for *_, (x, y) in found)


class Augmented(Dataset):
    def __init__(self, transform):
        self.array, self.transform = pixels(), transform

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return self.transform(self.array)


@pytest.mark.parametrize("generator", [None, 3])
def test_workers_draw_the_same_numbers(generator):
    def batches(workers):
        tg.manual_seed(1)
        crop = T.RandomCrop(7, generator=generator)
        transform = T.Compose([crop, T.ColorJitter(0.5, generator=crop.generator), T.RandomRotation(40), T.ToTensor()])
        loader = DataLoader(Augmented(transform), 4, num_workers=workers)
        return [batch.tolist() for _ in range(2) for batch in loader]

    want = batches(0)
    assert batches(1) == batches(3) == want and len({str(batch) for batch in want}) == 6


def test_compositions():
    assert repr(T.Compose([T.ToTensor(), T.Normalize((0.5,), (0.5,))])) == (
        "Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.5,))\n)"
    )
    assert T.Lambda(lambda x: x + 1)(1) == 2
    assert repr(T.Resize(3)) == "Resize(size=3, interpolation=bilinear, max_size=None, antialias=True)"
    for make in RANDOM.values():
        assert repr(make(0)).startswith(type(make(0)).__name__ + "(")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: T.Compose(3), DTypeError, "transforms must be a list of functions"),
        (lambda: T.Lambda(3), DTypeError, "lambd must be a function"),
        (lambda: T.RandomHorizontalFlip(1.5), ArgumentError, r"p must be in \[0, 1\], got 1.5"),
        (lambda: T.RandomChoice([F.hflip], [0]), ArgumentError, "one for each transform"),
        (lambda: T.Resize(0), ArgumentError, "size must be an int ≥ 1, or two, got 0"),
        (lambda: T.Resize((1, 2, 3)), ArgumentError, "size must be"),
        (lambda: T.Resize(3, "cubic"), ArgumentError, "interpolation must be"),
        (lambda: F.resize(pixels(), 5, max_size=4), ArgumentError, "larger than size"),
        (lambda: F.resize(pixels(), (5, 5), max_size=9), ArgumentError, "one int"),
        (lambda: F.resize(pixels(), 5, "lanczos", antialias=False), ArgumentError, "antialias=False needs"),
        (lambda: T.Pad(1, padding_mode="mirror"), ArgumentError, "padding_mode must be one of"),
        (lambda: F.pad(pixels(), (1, 2, 3)), ArgumentError, "one, two or four"),
        (lambda: F.pad(pixels(), -1), ArgumentError, "≥ 0"),
        (lambda: F.pad(pixels(), 1, fill=(1, 2)), ArgumentError, "each of the 3 channels"),
        (lambda: F.five_crop(pixels(), 20), ArgumentError, "at most the picture's 13 × 17"),
        (lambda: F.rotate(pixels(), 3, InterpolationMode.BOX), ArgumentError, "nearest, bilinear or bicubic"),
        (lambda: F.affine(pixels(), 0, (1, 1), 0, 0), ArgumentError, "scale a number > 0"),
        (lambda: T.RandomRotation(-3), ArgumentError, "degrees must be a number ≥ 0"),
        (lambda: T.RandomAffine(3, translate=(2, 0)), ArgumentError, r"translate must be two numbers in \[0, 1\]"),
        (lambda: T.RandomAffine(3, scale=(2, 1)), ArgumentError, "scale must be two numbers"),
        (lambda: T.ColorJitter(-1), ArgumentError, "brightness must be"),
        (lambda: T.ColorJitter(hue=0.7), ArgumentError, r"within \[-0.5, 0.5\]"),
        (lambda: T.GaussianBlur(4), ArgumentError, "odd"),
        (lambda: F.gaussian_blur(pixels(), 35), ShapeError, "smaller than the picture"),
        (lambda: T.GaussianBlur(3, 0), ArgumentError, "sigma must be"),
        (lambda: T.RandomErasing(value="noise"), ArgumentError, '"random"'),
        (lambda: T.RandomErasing(1)(image()), DTypeError, r"after ToTensor\(\)"),
        (lambda: T.RandomErasing(1, value=(1, 2))(tensor(pixels())), ArgumentError, "each of the 3 channels"),
        (lambda: T.Normalize([0.5], [0.5])(image()), DTypeError, r"call ToTensor\(\) first"),
        (lambda: T.Normalize([0.5], [0])(tg.ones(1, 2, 2)), ArgumentError, "std must not be 0"),
        (lambda: T.Normalize([0.5] * 2, [0.5])(tg.ones(3, 2, 2)), ShapeError, "each of the 3 channels"),
        (lambda: T.ToTensor()("cat.png"), DTypeError, "got str"),
        (lambda: T.ToTensor()(np.zeros(3)), ShapeError, "got 1 axes"),
        (lambda: T.PILToTensor()(pixels()), DTypeError, "must be a Pillow image"),
        (lambda: T.ToPILImage()(np.zeros((2, 2, 7), np.uint8)), ShapeError, "1 to 4 channels"),
        (lambda: T.ToPILImage()(np.zeros((2, 2, 3))), DTypeError, "convert it to uint8"),
        (lambda: T.Grayscale(2), ArgumentError, "must be 1 or 3"),
        (lambda: F.adjust_hue(pixels(), 0.6), ArgumentError, "hue_factor must be in"),
        (lambda: F.adjust_brightness(pixels(), -1), ArgumentError, "brightness_factor must be a number ≥ 0"),
        (lambda: F.adjust_saturation(pixels(channels=4), 1), ShapeError, "1 or 3 channels, got 4"),
        (lambda: F.hflip([1]), DTypeError, "img must be a picture, got list"),
    ],
)
def test_errors(make, error, match):
    with pytest.raises(error, match=match):
        make()
