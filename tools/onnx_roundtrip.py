"""Write models to ONNX files, run them in ONNX Runtime, read them again, and compare outputs and gradients.

    python tools/onnx_roundtrip.py [name ...]

Without names it does so with every model of `tensorgrad.nn.models` and the network of each example, and prints how far
outputs and gradients are apart, relative to the largest.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import models

SMALL, TINY = (3, 64, 64), (3, 32, 32)
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "LeNet": (models.LeNet, (1, 32, 32)),
    "AlexNet": (models.AlexNet, (3, 96, 96)),
    "AlexNetSmall": (models.AlexNetSmall, TINY),
    "DSCNN": (models.DSCNN, (1, 49, 10)),
    "DenseNetSmall": (models.DenseNetSmall, TINY),
    "UNet": (lambda: models.UNet(3, 2, width=16), SMALL),
    "UNet bilinear": (lambda: models.UNet(3, 2, bilinear=True, width=16), SMALL),
    **{name: (getattr(models, name), SMALL) for name in (
        "densenet121", "densenet169", "mobilenet_v2", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
        "resnext50_32x4d", "wide_resnet50_2", "squeezenet1_0", "squeezenet1_1",
    )},
    **{name: (getattr(models, name), TINY) for name in (
        "resnet20", "resnet32", "resnet44", "resnet56", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn",
        "vgg19", "vgg19_bn",
    )},
}  # fmt: skip
"""By name, what makes a model, and the shape of its input."""

EXAMPLES: dict[str, tuple[str, Callable[[Any], nn.Module], tuple[int, ...]]] = {
    "two profiles": ("lesson1_signal", lambda m: m.network(2), (2, 8)),
    "retinas": ("lesson2_retina", lambda m: m.RetinaNet(16), (3, 16, 16)),
    "cats": ("lesson4_cats", lambda m: m.detector(2), (3, 32, 32)),
    "shared weights": ("lesson4_sharing", lambda m: m.cnn(), (1, 16, 16)),
    "no shared weights": ("lesson4_sharing", lambda m: m.fully_connected(), (1, 16, 16)),
    "sigmoids": ("lesson5_digits", lambda m: m.sigmoid_network(64), (1, 8, 8)),
    "digits": ("lesson5_digits", lambda m: m.cnn(8), (1, 8, 8)),
    "LeNet-5": ("mnist_cnn", lambda m: m.lenet5(), (1, 28, 28)),
    "the demo": ("optdigits_cnn", lambda m: m.DigitNet(), (1, 8, 8)),
    "spatial transformer": ("spatial_transformer", lambda m: m.Transformer(), (1, 16, 16)),
    "U-Net of the fundus": ("unet_fundus", lambda m: m.UNet(), (3, 16, 16)),
    "VAE's encoder": ("vae_digits", lambda m: m.VAE().encoder, (64,)),
    "VAE's decoder": ("vae_digits", lambda m: m.VAE().decoder, (2,)),
}
"""By name, the example that holds a network, how it is made, and the shape of its input."""


def example_network(name: str) -> nn.Module:
    """The network of an example."""
    folder = str(Path(__file__).parents[1] / "examples")
    if folder not in sys.path:  # examples import each other by name
        sys.path.append(folder)
    module, make, _ = EXAMPLES[name]
    return make(importlib.import_module(module))


def example_like(inputs, batch, rng):
    """Inputs of another batch size: new floats, and the whole numbers of the example repeated."""
    return [
        tg.tensor(
            rng.standard_normal((batch, *x.shape[1:])).astype(x.dtype)
            if x.dtype.kind == "f"
            else np.resize(x.numpy(), (batch, *x.shape[1:]))
        )
        for x in inputs
    ]


def settle(model, inputs):
    """Give batch norms statistics of their own, by training passes, and weights that start at 0 other values.

    At 0 a spatial transformer reads between no pixels, where two derivatives are right.
    """
    model.train()
    with tg.no_grad():
        for parameter in model.parameters():
            if not parameter.numpy().any():
                parameter += 0.1 * tg.randn(*parameter.shape)
        for _ in range(2):
            model(*inputs)
    return model.eval()


def flat(results):
    """The tensors of nested results."""
    if isinstance(results, tg.Tensor):
        return [results]
    values = results.values() if isinstance(results, dict) else results
    return [x for value in values if value is not None for x in flat(value)]


def run(path, inputs):
    """The outputs in ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {i.name: x.detach().numpy() for i, x in zip(session.get_inputs(), inputs, strict=True)}
    return session.run(None, given)


def gradients(model, inputs, upstream):
    """By name, the gradients for parameters and inputs under a random upstream gradient."""
    model.zero_grad()
    floats = [x.detach() for x in inputs]
    for x in floats:
        x.requires_grad = x.dtype.kind == "f"
    outputs = [z for z in flat(model(*floats)) if z.requires_grad]
    if not outputs:
        return {}
    sum((z * u).sum() for z, u in zip(outputs, upstream, strict=False)).backward()
    named = [*model.named_parameters(), *((f"input {k}", x) for k, x in enumerate(floats))]
    return {name: p.grad.numpy() for name, p in named if p.grad is not None}


def assert_close(got, expected, what, tolerance=1e-5):
    """Assert equality up to the tolerance, relative to the largest number; returns the difference."""
    assert got.dtype == expected.dtype and got.shape == expected.shape, what
    exact = got.astype(np.float64), expected.astype(np.float64)
    scale = max(1.0, float(np.abs(exact[1]).max(initial=0)))
    np.testing.assert_allclose(*exact, rtol=tolerance, atol=tolerance * scale, err_msg=what)
    finite = np.isfinite(exact[1])
    return float(np.abs(exact[0] - exact[1])[finite].max(initial=0)) / scale


def check(model, inputs, path, batch=3, differences=None, **options):
    """Write the model; its outputs in ONNX Runtime, and those and the gradients of the model that is read, are equal.

    Returns:
        The model that was read.
    """
    inputs = list(inputs) if isinstance(inputs, tuple) else [inputs]
    tg.onnx.export(model, tuple(inputs), path, **options)
    model.eval()
    rng = np.random.default_rng(7)
    others = example_like(inputs, batch, rng) if options.get("batch_axis", 0) == 0 else inputs
    expected = [z.detach().numpy() for z in flat(model(*others))]
    far = {"runtime": 0.0, "loaded": 0.0, "gradients": 0.0} if differences is None else differences
    for k, (got, z) in enumerate(zip(run(path, others), expected, strict=True)):
        far["runtime"] = max(far["runtime"], assert_close(got, z, f"output {k} in ONNX Runtime"))
    again = tg.onnx.load(path)
    for k, (got, z) in enumerate(zip(flat(again(*others)), expected, strict=True)):
        far["loaded"] = max(far["loaded"], assert_close(got.detach().numpy(), z, f"output {k} of the loaded model"))
    upstream = [tg.tensor(rng.standard_normal(z.shape), dtype=z.dtype) for z in expected if z.dtype.kind == "f"]
    ours, theirs = gradients(model, others, upstream), gradients(again, others, upstream)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        far["gradients"] = max(far["gradients"], assert_close(theirs[name], gradient, f"gradient of {name}"))
    return again


def main(wanted: list[str]) -> None:
    """Print the table."""
    cases = {**MODELS, **{name: (partial(example_network, name), EXAMPLES[name][2]) for name in EXAMPLES}}
    print(f"{'model':22} {'ONNX Runtime':>12} {'loaded':>9} {'gradients':>10} {'seconds':>8}", flush=True)
    for name in wanted or cases:
        make, shape = cases[name]
        tg.manual_seed(0)
        rng, start = np.random.default_rng(0), time.perf_counter()
        x = tg.tensor(rng.standard_normal((4, *shape)).astype(np.float32))
        far = {"runtime": 0.0, "loaded": 0.0, "gradients": 0.0}
        with tempfile.TemporaryDirectory() as folder:
            check(settle(make(), [x]), x[:1], Path(folder) / "model.onnx", batch=2, differences=far)
        seconds = time.perf_counter() - start
        said = f"{far['runtime']:12.1e} {far['loaded']:9.1e} {far['gradients']:10.1e} {seconds:8.1f}"
        print(f"{name:22} {said}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
