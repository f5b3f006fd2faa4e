"""The ONNX project's own tests, and its models exported from PyTorch, through `tg.onnx.load`."""

import pytest

pytest.importorskip("onnx.helper")  # "onnx" alone would find the folder of these tests

from tools import onnx_nodes

# Their expected outputs take half a minute to compute; `python tools/onnx_nodes.py` runs them too.
SLOW = ("averagepool", "lppool", "maxpool", "image_decoder")
NOT_HERE = (
    "CausalConvWithState", "DeformConv", "DFT", "LinearAttention", "MelWeightMatrix", "Optional", "RoiAlign", "STFT",
)  # fmt: skip
ROUNDED_OTHERWISE = ("test_attention_4d_causal_fp16", "test_attention_4d_causal_fp16_expanded")


def excused(name, error):
    """Whether a failing test is about an op that isn't here, or sums halves in another order."""
    return name in ROUNDED_OTHERWISE or ("can't be taken" in error and any(f"- {op} " in error for op in NOT_HERE))


@pytest.mark.cases("family", [name for name in onnx_nodes.families() if name not in SLOW], ids=str)
def test_nodes(family):
    inside = [case for case in onnx_nodes.node_cases(family) if not onnx_nodes.out_of_scope(case)]
    failed = onnx_nodes.failures(inside)
    assert {name: error for name, error in failed.items() if not excused(name, error)} == {}


@pytest.mark.parametrize("kind", onnx_nodes.KINDS)
def test_models(kind):
    inside = [case for case in onnx_nodes.model_cases(kind) if not onnx_nodes.out_of_scope(case)]
    assert len(inside) >= 14
    assert onnx_nodes.failures(inside) == {}


def test_a_wrong_output_is_a_failure():
    case = next(onnx_nodes.model_cases("pytorch-operator"))
    ((inputs, outputs),) = case.data
    wrong = case._replace(data=[(inputs, [onnx_nodes.array_of(outputs[0]) + 1e-2])])
    assert onnx_nodes.failures([case]) == {}
    assert [*onnx_nodes.failures([wrong])] == [case.name]
