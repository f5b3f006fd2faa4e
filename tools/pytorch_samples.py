"""PyTorch's own sample inputs, run by tensorgrad: does a function of PyTorch's name do what PyTorch's does?

    python tools/pytorch_samples.py [NAME ...] [--method] [--verbose] [--most N] [--without PREFIX]

PyTorch describes its ops for its own tests, with sample inputs for each (`torch.testing._internal`, which needs the
package `expecttest`). Each sample is given to PyTorch's function and to tensorgrad's function of the same name,
unchanged: the same positions and keywords. Values, dtypes and shapes have to agree, and under a random upstream
gradient the gradients of all inputs. Prints one line per function, and exits with 1 if one differs that
`DIFFERS_ON_PURPOSE` doesn't explain.
"""

from __future__ import annotations

import argparse
import collections
import functools
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import gradcheck_wrapper_hermitian_input

import tensorgrad as tg

MOST_SAMPLES = 12
"""Samples per function and dtype; PyTorch has hundreds for some."""

DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool)

RANDOM = {
    "bernoulli", "cauchy", "empty", "empty_like", "empty_permuted", "empty_strided", "exponential", "geometric",
    "log_normal",
    "multinomial", "new_empty", "new_empty_strided", "nn.functional.alpha_dropout", "nn.functional.dropout",
    "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.feature_alpha_dropout",
    "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d", "nn.functional.rrelu", "normal",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "svd_lowrank", "uniform",
}  # fmt: skip
"""Functions that draw numbers or leave them unset: only shapes and dtypes are compared."""

TIES = {"argsort", "kthvalue", "max", "median", "min", "mode", "msort", "nanmedian", "sort", "topk"}
"""Functions that leave open which of equal elements they name: of integers, only the values are compared."""

PROCESSED = {"linalg.eigh", "linalg.svd", "svd"}
"""Functions whose results are known up to signs: what PyTorch's own tests compute from them is compared."""

WEIGHT_FIRST = {"nn.functional.embedding", "nn.functional.embedding_bag"}
"""Functions whose samples have the second argument first, as its gradient is tested."""

_FLOATS = "integers become float32, the dtype in which layers compute; PyTorch keeps integers"
DIFFERS_ON_PURPOSE: dict[str, str] = {
    **dict.fromkeys(
        ("addmv", "addbmm", "baddbmm", "addmv_", "baddbmm_"),
        "PyTorch cuts fractional factors of integers to 0; here the result has fractions, and is float32",
    ),
    "addbmm_": "a result of another shape is refused, as by all in-place methods; PyTorch resizes the tensor",
    "cov": "float32 weights of float64 numbers: PyTorch computes the divisor in float32, here it is float64",
    "__rpow__": "an integer to a negative power is an error, as in NumPy; PyTorch gives 0",
    "linalg.norm/subgradients_at_zero": "the subgradient of the 2-norm at zeros is 0, PyTorch's has rank 1",
    "linalg.svd": "singular vectors beyond min(M, N) have no gradient, which is said when they are asked for",
    "svd": "singular vectors beyond min(M, N) have no gradient, which is said when they are asked for",
    **dict.fromkeys(
        ("nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d"),
        "random samples outside [0, 1) are refused; PyTorch computes places of windows with them",
    ),
    "conv1d": _FLOATS,
    "conv2d": _FLOATS,
    "conv3d": _FLOATS,
    "conv_transpose1d": _FLOATS,
    "conv_transpose2d": _FLOATS,
    "conv_transpose3d": _FLOATS,
    "nn.functional.avg_pool1d": _FLOATS,
    "nn.functional.avg_pool2d": _FLOATS,
    "nn.functional.avg_pool3d": _FLOATS,
    "nn.functional.batch_norm": "an input (0,) is refused: it has no axis of channels",
    "nn.functional.bilinear": _FLOATS,
    "nn.functional.conv1d": _FLOATS,
    "nn.functional.conv2d": _FLOATS,
    "nn.functional.conv3d": _FLOATS,
    "nn.functional.conv_transpose1d": _FLOATS,
    "nn.functional.conv_transpose2d": _FLOATS,
    "nn.functional.conv_transpose3d": _FLOATS,
    "nn.functional.ctc_loss": "the exact gradient; PyTorch's is right only through the log_softmax before it",
    "nn.functional.hardtanh": _FLOATS,
    "nn.functional.linear": _FLOATS,
    "nn.functional.local_response_norm": "an empty input of integers becomes float32; PyTorch keeps integers",
    "nn.functional.max_pool2d": _FLOATS,
    "nn.functional.max_pool3d": _FLOATS,
    "nn.functional.relu6": _FLOATS,
    "nn.functional.threshold": _FLOATS,
}
"""Function (or `function/variant`) -> what it does otherwise, and why; docs/coming-from-pytorch.md lists them."""


class OutOfScope(Exception):
    """A sample with what tensorgrad doesn't have: complex numbers, sparse tensors, memory formats, `out=`."""


def torch_name(op: Any) -> str:
    """`nn.functional.relu`, `linalg.norm`, `add`."""
    return op.name


def counterparts(op: Any) -> dict[str, Callable[..., Any]]:
    """The functions and methods of tensorgrad that have this op's names."""
    found: dict[str, Callable[..., Any]] = {}
    for name in [op.name, *(alias.name for alias in op.aliases)]:
        function = _reached(tg, name)
        if function is not None and _reached(torch, name) is not None:
            found[name] = function
        elif "." not in name and callable(getattr(torch.Tensor, name, None)) and _method(name) is not None:
            found[f"Tensor.{name}"] = _method(name)  # type: ignore[assignment]
    return found


def methods(op: Any) -> dict[str, Callable[..., Any]]:
    """The methods and in-place methods of tensors that have this op's names."""
    names = [op.name, *(alias.name for alias in op.aliases)]
    names = [n for n in names if "." not in n and not n.startswith("__")]
    both = [*names, *(f"{n}_" for n in names)]
    return {f"Tensor.{n}": _method(n) for n in both if callable(getattr(torch.Tensor, n, None)) and _method(n)}  # type: ignore[misc]


def _reached(root: Any, path: str) -> Callable[..., Any] | None:
    for name in path.split("."):
        try:
            root = getattr(root, name)
        except AttributeError:
            return None
    return root if callable(root) else None


def _method(name: str) -> Callable[..., Any] | None:
    return getattr(tg.Tensor, name, None) if callable(getattr(tg.Tensor, name, None)) else None


# -------------------------------------------------------------------------------------------------------- conversion


def to_tensorgrad(value: Any) -> Any:
    """What PyTorch's sample holds, as tensorgrad's."""
    if isinstance(value, torch.Tensor):
        if value.is_sparse or value.layout != torch.strided or value.is_complex() or value.dtype == torch.bfloat16:
            raise OutOfScope
        array = value.detach().numpy().copy() if value.dim() else np.array(value.detach().numpy())
        return tg.tensor(array).requires_grad_(value.requires_grad)
    if isinstance(value, torch.dtype):
        if value.is_complex or value == torch.bfloat16:
            raise OutOfScope
        return torch.empty(0, dtype=value).numpy().dtype
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.memory_format | torch.layout | torch.Generator | complex):
        raise OutOfScope
    if isinstance(value, torch.nn.Module):  # samples have only layers without arguments
        return getattr(tg.nn, type(value).__name__)()
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, dict):
        if value.get("out") is not None:
            raise OutOfScope
        return {k: to_tensorgrad(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_tensorgrad(v) for v in value)
    return value


def tensors_in(value: Any, kind: type) -> Iterator[Any]:
    """All tensors of a nest of lists, tuples and dicts, in order."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from tensors_in(v, kind)
    elif isinstance(value, list | tuple):
        for v in value:
            yield from tensors_in(v, kind)


def fresh(value: Any) -> Any:
    """A copy of a sample whose tensors are leaves, or computed from leaves where a function writes into them."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {k: fresh(v) for k, v in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return type(value)(fresh(v) for v in value)
    return value


# -------------------------------------------------------------------------------------------------------- comparison


@dataclass
class Outcome:
    """What happened to the samples of one function."""

    counts: collections.Counter = field(default_factory=collections.Counter)
    examples: list[str] = field(default_factory=list)

    def note(self, kind: str, text: str = "") -> None:
        """Count a sample as `kind`; keep its text as an example."""
        self.counts[kind] += 1
        if text and len(self.examples) < 40:
            self.examples.append(f"{kind}: {text}")

    @property
    def good(self) -> bool:
        """Whether no sample differs and none raises where PyTorch computes."""
        return not self.counts["differs"] and not self.counts["raises"]


def compare(name: str, ours: Callable[..., Any], theirs: Callable[..., Any], sample: Any, outcome: Outcome) -> None:
    """Run one sample by both, and note the outcome."""
    arguments = (fresh(sample.input), *fresh(sample.args))
    keywords = fresh(sample.kwargs)
    try:
        our_arguments, our_keywords = to_tensorgrad(arguments), to_tensorgrad(keywords)
    except OutOfScope:
        return outcome.note("out of scope")
    text = shown(arguments, keywords)
    inplace = name.endswith("_") and not name.endswith("__")
    if inplace and not isinstance(arguments[0], torch.Tensor):
        return outcome.note("out of scope")
    if inplace:  # a leaf that requires a gradient can't be written into
        leaf, our_leaf = arguments[0], our_arguments[0]
        arguments, our_arguments = (
            (arguments[0].clone(), *arguments[1:]),
            (our_arguments[0].clone(), *our_arguments[1:]),
        )
    try:
        expected = theirs(*arguments, **keywords)
    except Exception:
        return outcome.note("PyTorch raises")
    if any(t.is_complex() or t.is_sparse for t in tensors_in(expected, torch.Tensor)):
        return outcome.note("out of scope")
    try:
        result = ours(*our_arguments, **our_keywords)
    except Exception as error:
        return outcome.note("raises", f"{text}: {type(error).__name__}: {str(error)[:300]}")
    plain = name.removeprefix("Tensor.").removesuffix("_")
    random = plain in RANDOM or keywords.get("dropout_p", 0) > 0
    if plain in PROCESSED and sample.output_process_fn_grad is not None:
        expected, result = [sample.output_process_fn_grad(z) for z in (expected, result)]
    if plain in TIES and not arguments[0].is_floating_point():
        expected, result = [_without_places(z, plain) for z in (expected, result)]
    if problem := difference(expected, result, random):
        return outcome.note("differs", f"{text}: {problem}")
    leaves = list(tensors_in([arguments, keywords] if not inplace else [leaf, arguments[1:], keywords], torch.Tensor))
    our_leaves = list(
        tensors_in(
            [our_arguments, our_keywords] if not inplace else [our_leaf, our_arguments[1:], our_keywords], tg.Tensor
        )
    )
    if not random and (problem := gradients_differ(expected, result, leaves, our_leaves)):
        return outcome.note("differs", f"{text}: {problem}")
    return outcome.note("passes")


def _without_places(result: Any, name: str) -> Any:
    """Of a result (values, indices) the values; of argsort whatever its dtype and shape say."""
    if isinstance(result, tuple):
        return result[0]
    return result * 0 if name == "argsort" else result


def difference(expected: Any, result: Any, random: bool) -> str:
    """How tensorgrad's result differs from PyTorch's: "" if it doesn't."""
    if isinstance(expected, torch.Tensor):
        if not isinstance(result, tg.Tensor):
            return f"gives a {type(result).__name__}, PyTorch a tensor"
        if tuple(expected.shape) != result.shape:
            return f"shape {result.shape}, PyTorch's {tuple(expected.shape)}"
        wanted = expected.detach().numpy()
        if wanted.dtype != result.dtype:
            return f"dtype {result.dtype}, PyTorch's {wanted.dtype}"
        if random:
            return ""
        return unequal(wanted, np.asarray(result.detach().numpy()), "values")
    if isinstance(expected, list | tuple):
        if not isinstance(result, list | tuple) or len(result) != len(expected):
            return f"gives a {type(result).__name__}, PyTorch a {type(expected).__name__} of {len(expected)}"
        return next((p for e, r in zip(expected, result, strict=True) if (p := difference(e, r, random))), "")
    if isinstance(expected, float | int | bool):
        if isinstance(result, tg.Tensor):
            return f"gives a tensor, PyTorch the {type(expected).__name__} {expected}"
        return "" if random or np.allclose(expected, result, equal_nan=True) else f"{result}, PyTorch's {expected}"
    return ""


def unequal(wanted: np.ndarray, got: np.ndarray, what: str) -> str:
    """The largest difference, where it is more than rounding."""
    if wanted.dtype.kind != "f":
        return "" if np.array_equal(wanted, got) else f"{what} {got.tolist()!s:.80}, PyTorch's {wanted.tolist()!s:.80}"
    rtol, atol = (1e-6, 1e-7) if wanted.dtype == np.float64 else (2e-4, 1e-4)
    if np.allclose(wanted, got, rtol, atol, equal_nan=True):
        return ""
    with np.errstate(invalid="ignore"):
        worst = np.nanmax(np.abs(wanted - got)) if wanted.size else 0.0
    return f"{what} off by {worst:.3g}: {got.ravel()[:4].tolist()}, PyTorch's {wanted.ravel()[:4].tolist()}"


def gradients_differ(expected: Any, result: Any, leaves: list, our_leaves: list) -> str:
    """How the gradients of the inputs differ under a random upstream gradient."""
    pairs = list(zip(tensors_in(expected, torch.Tensor), tensors_in(result, tg.Tensor), strict=True))
    pairs = [(e, r) for e, r in pairs if e.requires_grad and e.is_floating_point()]
    if not pairs:
        return ""
    rng = np.random.default_rng(0)
    upstream = [np.asarray(rng.standard_normal(tuple(e.shape)), e.detach().numpy().dtype) for e, _ in pairs]
    try:
        sum([(e * torch.from_numpy(u)).sum() for (e, _), u in zip(pairs, upstream, strict=True)]).backward()  # type: ignore[union-attr]
    except Exception:
        return ""
    # a result without a gradient, as the sign of a determinant, is one whose gradient is 0 in PyTorch
    flowing = [(r * tg.tensor(u)).sum() for (_, r), u in zip(pairs, upstream, strict=True) if r.requires_grad]
    if not flowing:
        return "no gradient flows through the result, PyTorch's has one"
    try:
        sum(flowing).backward()  # type: ignore[union-attr]
    except Exception as error:
        return f"backward raises {type(error).__name__}: {str(error)[:300]}"
    for k, (theirs, ours) in enumerate(zip(leaves, our_leaves, strict=True)):
        if theirs.grad is None:
            continue
        if ours.grad is None:
            if theirs.grad.abs().sum() != 0:
                return f"no gradient for tensor {k}"
        elif problem := unequal(theirs.grad.numpy(), np.asarray(ours.grad.numpy()), f"gradient of tensor {k}"):
            return problem
    return ""


def shown(arguments: Any, keywords: Any) -> str:
    """A call, with shapes in place of tensors."""

    def one(value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
        if isinstance(value, list | tuple):
            return f"[{', '.join(one(v) for v in value)}]"
        return repr(value)

    parts = [*(one(a) for a in arguments), *(f"{k}={one(v)}" for k, v in keywords.items())]
    return f"({', '.join(parts)})"


# ----------------------------------------------------------------------------------------------------------- running


def outcome_of(
    op: Any,
    name: str,
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    most: int = MOST_SAMPLES,
    dtypes: Sequence[torch.dtype] = DTYPES,
) -> Outcome:
    """Run the samples of one op, at most so many of a dtype, by tensorgrad's `ours` and PyTorch's `theirs`."""
    outcome = Outcome()
    for dtype in dtypes:
        if dtype not in op.supported_dtypes("cpu"):
            continue
        differentiable = dtype in op.supported_backward_dtypes("cpu") and op.supports_autograd
        torch.manual_seed(0)
        np.random.seed(0)  # some samples come from NumPy's generator
        samples = list(op.sample_inputs("cpu", dtype, requires_grad=differentiable and dtype.is_floating_point))
        for k in sorted({*np.linspace(0, len(samples) - 1, min(most, len(samples))).astype(int)}) if samples else ():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compare(name, ours, theirs, samples[k], outcome)
    return outcome


def all_functions(
    names: list[str], with_methods: bool
) -> Iterator[tuple[str, Any, Callable[..., Any], Callable[..., Any]]]:
    """Name, description, tensorgrad's function and PyTorch's, for each that exists here."""
    seen = set()
    for op in op_db:
        ours = {**counterparts(op), **(methods(op) if with_methods else {})}
        for name, function in ours.items():
            if (name, op.variant_test_name) in seen or (names and not {name, op.name} & set(names)):
                continue
            seen.add((name, op.variant_test_name))
            function = weight_first(function) if name in WEIGHT_FIRST else function
            own = name == op.name and not name.startswith("Tensor.")
            if own:
                function = _as_described(op, function)
            path = name.removeprefix("Tensor.")
            theirs = (
                op.op if own else getattr(torch.Tensor, path) if name.startswith("Tensor.") else _reached(torch, path)
            )
            if op.gradcheck_wrapper is gradcheck_wrapper_hermitian_input:  # of x + xᵀ: for symmetric matrices only
                function, theirs = [functools.partial(op.gradcheck_wrapper, f) for f in (function, theirs)]
            yield name, op, function, theirs  # type: ignore[misc]


def weight_first(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its first two arguments exchanged."""
    return lambda weight, indices, *rest, **keywords: function(indices, weight, *rest, **keywords)


def _as_described(op: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """tensorgrad's function as PyTorch's tests call it: some describe a call, `lambda x, n: torch.polygamma(n, x)`."""
    if not isinstance(op.op, types.FunctionType) or op.op.__name__ != "<lambda>":
        return function
    return types.FunctionType(op.op.__code__, {**op.op.__globals__, "torch": tg}, closure=op.op.__closure__)


def known_difference(op: Any, name: str) -> str:
    """What `DIFFERS_ON_PURPOSE` says about a function or method; "" if nothing."""
    plain = name.removeprefix("Tensor.")
    return DIFFERS_ON_PURPOSE.get(f"{plain}/{op.variant_test_name}") or DIFFERS_ON_PURPOSE.get(plain, "")


def absent() -> list[str]:
    """PyTorch's ops of which tensorgrad has no name."""
    return sorted({op.name for op in op_db if not counterparts(op)})


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="functions; all by default")
    parser.add_argument("--method", action="store_true", help="the methods and in-place methods too")
    parser.add_argument("--verbose", action="store_true", help="show the samples that differ or raise")
    parser.add_argument("--most", type=int, default=MOST_SAMPLES, help="how many samples of each function and dtype")
    parser.add_argument("--without", help="leave out the functions whose names begin so: nn.functional")
    arguments = parser.parse_args()
    wrong = good = 0
    for name, op, ours, theirs in all_functions(arguments.names, arguments.method):
        if arguments.without and op.name.startswith(arguments.without):
            continue
        outcome = outcome_of(op, name, ours, theirs, arguments.most)
        known = known_difference(op, name)
        good += outcome.good
        wrong += not outcome.good and not known
        variant = f"/{op.variant_test_name}" if op.variant_test_name else ""
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(outcome.counts.items())) or "no samples"
        print(f"{'ok   ' if outcome.good else 'known' if known else 'WRONG'} {name}{variant}: {counts}", flush=True)
        if not outcome.good and arguments.verbose:
            print("\n".join(f"        {line}" for line in outcome.examples))
    missing = absent()
    print(f"\n{good} as PyTorch's, {wrong} not; {len(missing)} ops of PyTorch's have no counterpart:")
    print(", ".join(missing))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
