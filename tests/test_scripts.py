"""Scripts written for PyTorch, with one word of their imports exchanged: `torch` becomes `tensorgrad`.

Each script in `scripts/` has `models()`, which makes its networks, and `train(*models)`, which returns numbers: losses,
counts of right answers, learning rates. tensorgrad runs each to the end. Where PyTorch is installed, it runs the script
as it is; both start from the same weights and must give the same numbers.
"""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))
IMPORT = re.compile(r"^(\s*)(import|from) (torch|torchvision)\b(.*)$", re.MULTILINE)
# Of the weights after training, ten times what was measured. Adam divides a gradient by its size, so it turns the
# rounding of a gradient near 0 (of a bias before a normalization, say) into a step of its own; else 4e-6 is enough.
TOLERANCE = {"neural_style": 2.5e-3, "vit": 2e-3, "wgan_gp": 5e-3, "siamese": 1.5e-5, "transformers": 2.5e-3}
NAMES = {"torch": "tensorgrad", "torchvision": "tensorgrad.vision"}


def exchanged(source):
    """The script with tensorgrad's name in its imports; `import torch` alone keeps the name that the script uses."""

    def one(match):
        indent, word, package, rest = match.groups()
        rest = " as torch" if (word, package, rest) == ("import", "torch", "") else rest
        return f"{indent}{word} {NAMES[package]}{rest}"

    return IMPORT.sub(one, source)


def load(path, source):
    module = types.ModuleType(f"scripts_{path.stem}")
    exec(compile(source, str(path), "exec"), vars(module))
    sys.modules[module.__name__] = module  # where pickle, for a loader's workers, looks for the script's classes
    return module


def ours(path):
    return load(path, exchanged(path.read_text(encoding="utf-8")))


def test_imports_are_all_that_is_exchanged():
    source = "import torch\nimport torch.nn as nn\nfrom torchvision import transforms\ntorch.relu(x)\n"
    assert exchanged(source) == (
        "import tensorgrad as torch\nimport tensorgrad.nn as nn\n"
        "from tensorgrad.vision import transforms\ntorch.relu(x)\n"
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_a_script_runs_to_the_end(path):
    script = ours(path)
    numbers = script.train(*script.models())
    assert len(numbers) > 3 and np.isfinite(numbers).all()
    if hasattr(script, "regularized"):
        assert np.isfinite(script.regularized()).all()


@pytest.mark.oracle
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_a_script_gives_the_numbers_of_pytorch(path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "torchvision", stand_in_for_torchvision(torch))
    # PyTorch's own tests, whose sample inputs other tests read, forbid scripts to set flags.
    flags = torch.backends.disable_global_flags.__globals__
    monkeypatch.setitem(flags, "__allow_nonbracketed_mutation_flag", True)
    theirs, script = load(path, path.read_text(encoding="utf-8")), ours(path)
    torch.manual_seed(0)
    their_models, our_models = theirs.models(), script.models()
    for a, b in zip(their_models, our_models, strict=True):
        result = b.load_state_dict({name: value.numpy() for name, value in a.state_dict().items()})
        assert "All keys matched" in str(result) or result == ([], [])
    expected, numbers = theirs.train(*their_models), script.train(*our_models)
    np.testing.assert_allclose(numbers, expected, rtol=5e-6, atol=2.5e-7)
    for a, b in zip(their_models, our_models, strict=True):
        for (name, value), (own_name, own) in zip(a.state_dict().items(), b.state_dict().items(), strict=True):
            assert name == own_name
            near = TOLERANCE.get(path.stem, 4e-6)
            np.testing.assert_allclose(np.asarray(own), value.numpy(), rtol=near, atol=near, err_msg=name)


def stand_in_for_torchvision(torch):
    """The two transforms of torchvision that the scripts use: torchvision itself isn't installed."""

    class Compose:
        def __init__(self, transforms):
            self.transforms = transforms

        def __call__(self, image):
            for transform in self.transforms:
                image = transform(image)
            return image

    class ToTensor:
        def __call__(self, image):
            return torch.from_numpy(image.reshape(1, *image.shape)).float().div(255)

    class Normalize:
        def __init__(self, mean, std):
            self.mean, self.std = (torch.tensor(v).view(-1, 1, 1) for v in (mean, std))

        def __call__(self, tensor):
            return (tensor - self.mean) / self.std

    package = types.ModuleType("torchvision")
    package.transforms = types.SimpleNamespace(Compose=Compose, ToTensor=ToTensor, Normalize=Normalize)
    return package
