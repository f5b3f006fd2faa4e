"""PyTorch's own inputs for layers and losses, run by tensorgrad: does a module do what PyTorch's of its name does?

    python tools/pytorch_modules.py [NAME ...] [--verbose]

PyTorch describes its modules for its own tests: arguments of the constructor and of the call
(`torch.testing._internal`, which needs the package `expecttest`). Both libraries construct the module with these
arguments, tensorgrad's loads PyTorch's state dict by name, and both are called with the same inputs, in training and
in evaluation. Compared: the names of the state dict, `repr`, outputs, gradients of the inputs and parameters under a
random upstream gradient, and the state dict after the call. Prints one line per module, and exits with 1 if one
differs that `DIFFERS_ON_PURPOSE` doesn't explain.
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_modules import ModuleInfo, module_db

import tensorgrad as tg
from tensorgrad import nn

sys.path.insert(0, str(Path(__file__).parent))

from pytorch_samples import (
    Outcome,
    OutOfScope,
    difference,
    fresh,
    gradients_differ,
    shown,
    tensors_in,
    to_tensorgrad,
    unequal,
)

RANDOM = {"RReLU", "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"}
"""Modules that draw numbers in training: only shapes and dtypes are compared then."""

NEWER = re.compile(r"(?<=affine=True), bias=\w+|(?<=affine=False), bias=\w+")
"""What newer versions of PyTorch show of norms, and older ones and tensorgrad don't."""

DIFFERS_ON_PURPOSE: dict[str, str] = {
    "CTCLoss": "the exact gradient; PyTorch's is right only through the log_softmax before it",
}
"""Module -> what it does otherwise, and why; docs/coming-from-pytorch.md lists them."""


def all_modules(names: list[str]) -> Iterator[tuple[str, ModuleInfo, Any, Any]]:
    """Name, description, tensorgrad's class and PyTorch's, for each that exists here."""
    for info in module_db:
        name = info.module_cls.__name__
        ours = getattr(nn, name, None)
        if ours is not None and (not names or name in names):
            yield name, info, ours, info.module_cls


def absent() -> list[str]:
    """PyTorch's modules of which tensorgrad has no name."""
    return sorted({info.module_cls.__name__ for info in module_db if not hasattr(nn, info.module_cls.__name__)})


def outcome_of(name: str, info: ModuleInfo, ours: Any, theirs: Any, most: int = 1000) -> Outcome:
    """Construct and call both modules with PyTorch's inputs, in training and in evaluation."""
    outcome = Outcome()
    for dtype in (torch.float64, torch.float32):
        if dtype not in info.supported_dtypes("cpu"):
            continue
        for training in (True, False) if info.train_and_eval_differ or name in RANDOM else (True,):
            torch.manual_seed(0)
            inputs = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
            for k in sorted({*np.linspace(0, len(inputs) - 1, min(most, len(inputs))).astype(int)}) if inputs else ():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    random = name in RANDOM and training
                    compare(ours, theirs, inputs[k], dtype, training, random, outcome)
    return outcome


def compare(
    ours: Any, theirs: Any, sample: Any, dtype: torch.dtype, training: bool, random: bool, outcome: Outcome
) -> None:
    """Run one input by both, and note the outcome."""
    constructor, call = sample.constructor_input, sample.forward_input
    text = f"{sample.desc or ''} {shown(constructor.args, constructor.kwargs)}"
    try:
        arguments = tuple(map(converted, constructor.args))
        keywords = {name: converted(value) for name, value in constructor.kwargs.items()}
    except OutOfScope:
        return outcome.note("out of scope")
    try:
        wanted = theirs(*copy.deepcopy(constructor.args), **copy.deepcopy(constructor.kwargs)).to(dtype).train(training)
    except Exception:
        return outcome.note("PyTorch raises")
    try:
        module = ours(*arguments, **keywords).to(to_tensorgrad(dtype)).train(training)
    except Exception as error:
        return outcome.note("raises", f"{text}: {type(error).__name__}: {str(error)[:300]}")
    if call is None:
        return outcome.note("passes")
    problem = called(module, wanted, call, random)
    if problem is None:
        return outcome.note("out of scope")
    if problem:
        return outcome.note("differs", f"{text}{shown(call.args, call.kwargs)}: {problem}")
    return outcome.note("passes")


def converted(value: Any) -> Any:
    """An argument of a constructor as tensorgrad's."""
    if callable(value) and value is getattr(torch.nn.functional, getattr(value, "__name__", ""), None):
        return getattr(nn.functional, value.__name__)
    if not isinstance(value, torch.nn.TransformerEncoderLayer):
        return to_tensorgrad(value)
    attention = value.self_attn
    return nn.TransformerEncoderLayer(
        attention.embed_dim,
        attention.num_heads,
        value.linear1.out_features,
        value.dropout.p,
        getattr(nn.functional, value.activation.__name__),
        value.norm1.eps,
        attention.batch_first,
        value.norm_first,
        value.linear1.bias is not None,
    )


def called(module: Any, wanted: Any, call: Any, random: bool) -> str | None:
    """How a call of tensorgrad's module differs from PyTorch's: "" if it doesn't, None if it is out of scope."""
    lazy = any(isinstance(p, torch.nn.parameter.UninitializedParameter) for p in wanted.parameters())
    arguments, keywords = fresh(call.args), fresh(call.kwargs)
    try:
        our_arguments, our_keywords = to_tensorgrad(arguments), to_tensorgrad(keywords)
    except OutOfScope:
        return None
    if lazy:  # the shapes of the parameters come with the first call
        wanted(*fresh(call.args), **fresh(call.kwargs))
        module(*our_arguments, **our_keywords)
    if problem := states_differ(module, wanted, load=True):
        return problem
    try:
        expected = wanted(*arguments, **keywords)
    except Exception:
        return None
    try:
        result = module(*our_arguments, **our_keywords)
    except Exception as error:
        return f"raises {type(error).__name__}: {str(error)[:300]}"
    look, look_there = (NEWER.sub("", repr(m)) for m in (module, wanted))
    if look != look_there:
        return f"repr {look}, PyTorch's {look_there}"
    if problem := difference(expected, result, random):
        return problem
    if random:
        return ""
    leaves = [*tensors_in([arguments, keywords], torch.Tensor), *wanted.parameters()]
    our_leaves = [*tensors_in([our_arguments, our_keywords], tg.Tensor), *module.parameters()]
    return gradients_differ(expected, result, leaves, our_leaves) or states_differ(module, wanted, load=False)


def states_differ(module: Any, wanted: Any, load: bool) -> str:
    """How the state dicts differ; `load` gives PyTorch's to tensorgrad's module first."""
    state = {name: value.detach().numpy().copy() for name, value in wanted.state_dict().items()}
    if list(module.state_dict()) != list(state):
        return f"state {list(module.state_dict())}, PyTorch's {list(state)}"
    if load:
        module.load_state_dict(state)
    for name, value in module.state_dict().items():
        ours = np.asarray(value)
        if ours.dtype != state[name].dtype or ours.shape != state[name].shape:
            return f"{name}: {ours.dtype}{ours.shape}, PyTorch's {state[name].dtype}{state[name].shape}"
        if problem := unequal(state[name], ours, name):
            return problem
    return ""


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="modules; all by default")
    parser.add_argument("--verbose", action="store_true", help="show the inputs for which modules differ")
    arguments = parser.parse_args()
    wrong = good = 0
    for name, info, ours, theirs in all_modules(arguments.names):
        outcome = outcome_of(name, info, ours, theirs)
        known = DIFFERS_ON_PURPOSE.get(name, "")
        good += outcome.good
        wrong += not outcome.good and not known
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(outcome.counts.items())) or "no inputs"
        print(f"{'ok   ' if outcome.good else 'known' if known else 'WRONG'} {name}: {counts}", flush=True)
        if not outcome.good and arguments.verbose:
            print("\n".join(f"        {line}" for line in outcome.examples))
    print(f"\n{good} as PyTorch's, {wrong} not; of PyTorch's modules these have no counterpart: {', '.join(absent())}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
