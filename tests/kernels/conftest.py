"""A cache that holds one kernel, filled once and copied for each test."""

import shutil

import pytest
from one_kernel import gather


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory):
    """A cache that the program of `one_kernel` filled, and what the program said."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, gather(folder)


@pytest.fixture
def filled(filled_once, tmp_path):
    """A copy of that cache."""
    return shutil.copytree(filled_once[0], tmp_path / "filled")
