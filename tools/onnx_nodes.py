"""Run the ONNX project's own tests through `tg.onnx.load`, and print a table of what passes.

    python tools/onnx_nodes.py [family ...]

The tests of nodes come with the package onnx, as models, inputs and expected outputs; so do models that were exported
from PyTorch. A test is out of scope if it needs strings, a dtype that NumPy lacks, quantized arithmetic or another
domain than ONNX's own.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, SequenceProto, TensorProto, numpy_helper

import tensorgrad as tg
from tensorgrad.onnx.reading.tensors import DTYPES

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
KINDS = ("simple", "pytorch-converted", "pytorch-operator")
QUANTIZED = ("Quantize", "Dequantize", "QLinear", "ConvInteger", "MatMulInteger", "DynamicQuantize")
OTHERS = ("ImageDecoder", "StringNormalizer", "TfIdf", "RegexFullMatch", "String", "Optional")
RANDOM = ("test_dropout_train", "test_training_dropout", "test_bernoulli", "test_multinomial")


class Case(NamedTuple):
    """One test: a model, and pairs of inputs and outputs."""

    family: str
    name: str
    model: ModelProto
    data: list[tuple[list[Any], list[Any]]]
    rtol: float
    atol: float


def families() -> list[str]:
    """The files of the ONNX project's tests, each about one op."""
    import onnx.backend.test.case.node as nodes

    return sorted(m.name for m in pkgutil.iter_modules(nodes.__path__) if not m.ispkg)


def node_cases(family: str) -> list[Case]:
    """The tests of one file; importing it computes the expected outputs."""
    import onnx.backend.test.case.node as nodes

    before = len(nodes._NodeTestCases)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(f"onnx.backend.test.case.node.{family}")
    return [
        Case(family, c.name, c.model, c.data_sets, c.rtol, max(c.atol, 1e-7)) for c in nodes._NodeTestCases[before:]
    ]


def model_cases(kind: str) -> Iterator[Case]:
    """The models of one folder of the ONNX project's data."""
    for folder in sorted((DATA / kind).glob("test_*")):
        model = onnx.load(str(folder / "model.onnx"))
        pairs = [
            tuple(
                [_parsed(data / f"{what}_{k}.pb") for k in range(len(list(data.glob(f"{what}_*.pb"))))]
                for what in ("input", "output")
            )
            for data in sorted(folder.glob("test_data_set_*"))
        ]
        yield Case(kind, folder.name, model, pairs, 1e-3, 1e-5)  # type: ignore[arg-type]


def _parsed(path: Path) -> TensorProto | SequenceProto:
    content = path.read_bytes()
    try:
        tensor = TensorProto()
        tensor.ParseFromString(content)
        if tensor.data_type:
            return tensor
    except Exception:
        pass
    sequence = SequenceProto()
    sequence.ParseFromString(content)
    return sequence


def out_of_scope(case: Case) -> str:
    """Why a test needs what tensorgrad hasn't; empty if it doesn't."""
    nodes = list(case.model.graph.node)
    names = [node.op_type for node in nodes]
    if domains := {node.domain for node in nodes} - {"", "ai.onnx"}:
        return f"domain {', '.join(sorted(domains))}"
    if any(name.startswith(QUANTIZED) for name in names):
        return "quantized"
    if any(name.startswith(OTHERS) and name not in ("OptionalHasElement", "OptionalGetElement") for name in names):
        return "strings, files"
    values = [*case.model.graph.input, *case.model.graph.output]
    codes = {v.type.tensor_type.elem_type for v in values if v.type.HasField("tensor_type")}
    codes |= {a.i for node in nodes for a in node.attribute if a.name == "to" and a.type == a.INT}
    return "" if codes <= {*DTYPES} else "dtype"


def array_of(value: Any) -> Any:
    """The array of a message, or a list of arrays."""
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, SequenceProto):
        return numpy_helper.to_list(value)
    return [array_of(x) for x in value] if isinstance(value, list) else value


def check(case: Case) -> None:
    """Run a test. Raises AssertionError where an output differs, or the error of `load` or of the model."""
    model = tg.onnx.load(case.model.SerializeToString())
    for inputs, outputs in case.data:
        results = model(*[array_of(x) for x in inputs])
        for got, expected in zip(results if isinstance(results, tuple) else (results,), outputs, strict=True):
            _compare(case, got, array_of(expected))


def _compare(case: Case, got: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert isinstance(got, list) and len(got) == len(expected)
        for x, y in zip(got, expected, strict=True):
            _compare(case, x, y)
        return
    if expected is None:
        assert got is None
        return
    array, wanted = got.detach().numpy() if isinstance(got, tg.Tensor) else np.asarray(got), np.asarray(expected)
    assert array.dtype == wanted.dtype, f"dtype {array.dtype}, expected {wanted.dtype}"
    assert array.shape == wanted.shape, f"shape {array.shape}, expected {wanted.shape}"
    if not case.name.startswith(RANDOM):
        np.testing.assert_allclose(array, wanted, rtol=case.rtol, atol=case.atol)


def failures(cases: list[Case]) -> dict[str, str]:
    """By name of a test that fails, the first line of its error."""
    found = {}
    for case in cases:
        try:
            check(case)
        except Exception as error:
            found[case.name] = " ".join(f"{type(error).__name__}: {error}".split())[:150]
    return found


def main(wanted: list[str]) -> None:
    """Print the table."""
    totals = Counter[str]()
    print(f"{'family':32} {'passed':>6} {'of':>5}   out of scope")
    known = families()
    for name in wanted or [*known, *KINDS]:
        cases = list(model_cases(name)) if name in KINDS else node_cases(name)
        reasons = Counter(filter(None, map(out_of_scope, cases)))
        inside = [case for case in cases if not out_of_scope(case)]
        failed = failures(inside)
        said = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        print(f"{name:32} {len(inside) - len(failed):6} {len(inside):5}   {said}")
        for test, error in failed.items():
            print(f"    {test}: {error}")
        kind = "models" if name in KINDS else "nodes"
        totals[f"{kind} passed"] += len(inside) - len(failed)
        totals[f"{kind} in scope"] += len(inside)
        totals[f"{kind} in all"] += len(cases)
    print(*(f"{what}: {n}" for what, n in totals.items()), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
