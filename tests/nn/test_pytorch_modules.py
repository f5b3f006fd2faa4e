"""Every module that PyTorch describes for its own tests: the same names, repr, results and gradients as PyTorch's."""

import inspect

import pytest

from tensorgrad import nn

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's descriptions of its modules need it")
pytorch_modules = pytest.importorskip("tools.pytorch_modules")

pytestmark = pytest.mark.oracle
MODULES = {name: given for name, *given in pytorch_modules.all_modules([])}
MOST = 8
"""Inputs per module, dtype and mode, out of up to 64."""


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_does_what_pytorchs_does(name):
    outcome = pytorch_modules.outcome_of(name, *MODULES[name], most=MOST)
    assert outcome.counts["passes"] or name in pytorch_modules.DIFFERS_ON_PURPOSE, "no input was run"
    assert outcome.good or name in pytorch_modules.DIFFERS_ON_PURPOSE, "\n".join(outcome.examples[:5])


@pytest.mark.parametrize("name", sorted(pytorch_modules.DIFFERS_ON_PURPOSE))
def test_what_differs_on_purpose_still_differs(name):
    assert not pytorch_modules.outcome_of(name, *MODULES[name], most=2).good


@pytest.mark.parametrize("method", ["__init__", "forward"])
@pytest.mark.parametrize("name", sorted(MODULES))
def test_arguments_have_pytorchs_names_and_order(name, method):
    ours, theirs = (inspect.signature(getattr(getattr(m, name), method)).parameters for m in (nn, torch.nn))
    if not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in (*ours.values(), *theirs.values())):
        # PyTorch keeps old names of Hardtanh's limits
        assert list(ours) == [p for p in theirs if p not in ("min_value", "max_value")]
