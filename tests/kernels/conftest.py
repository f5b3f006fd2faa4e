"""A cache that holds one kernel, filled once and copied for each test; and the same ways on every host."""

import shutil

import pytest
from one_kernel import gather

from tensorgrad.kernels.conv import winograd


@pytest.fixture(scope="session", autouse=True)
def few_channels_go_by_tiles_on_every_host():
    """Shapes of few channels test Winograd's kernels, also where direct sums are faster there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "BETWEEN", winograd.CHANNELS)
        yield


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory):
    """A cache that the program of `one_kernel` filled, and what the program said."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, gather(folder)


@pytest.fixture
def filled(filled_once, tmp_path):
    """A copy of that cache."""
    return shutil.copytree(filled_once[0], tmp_path / "filled")
