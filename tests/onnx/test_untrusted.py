"""Damaged files and files that ask for too much: tensorgrad's own errors, and nothing read outside of their folder."""

import os
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip("onnx.helper")  # "onnx" alone would find the folder of these tests

import onnx
import onnx_mutations
from onnx import TensorProto, helper, numpy_helper, parser

import tensorgrad as tg
from tensorgrad.onnx.reading import limits

HEADER = '<ir_version: 8, opset_import: ["": 18]> '


def model_of(text):
    return parser.parse_model(HEADER + text)


def test_whole_files_run():
    for content, inputs in onnx_mutations.bases():
        tg.onnx.load(content)(*inputs)


@pytest.mark.seeds(120)
def test_damaged_files_raise_errors_of_tensorgrad(seed):
    content, inputs = onnx_mutations.damaged(seed)
    with suppress(tg.TensorgradError):
        tg.onnx.load(content)(*inputs)


def with_external(tmp_path, location, **entries):
    tensor = numpy_helper.from_array(np.zeros((2, 2), np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    model = model_of("g (float[n, 2] x) => (float[n, 2] y) { y = MatMul (x, w) }")
    model.graph.initializer.append(tensor)
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder


def test_external_data_is_read_from_the_models_folder(tmp_path):
    weights = np.arange(4, dtype=np.float32).reshape(2, 2)
    folder = with_external(tmp_path, "part/w.bin", offset=8, length=16)
    (folder / "part").mkdir()
    (folder / "part" / "w.bin").write_bytes(bytes(8) + weights.tobytes())
    model = tg.onnx.load(folder / "net.onnx")
    np.testing.assert_array_equal(model.w.numpy(), weights)


@pytest.mark.parametrize(
    "location", ["../secret", "part/../../secret", "{root}/secret", "link", "links/secret", "", "\0"]
)
def test_no_path_leads_out_of_the_models_folder(location, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(16))
    folder = with_external(tmp_path, location.format(root=tmp_path))
    os.symlink(tmp_path / "secret", folder / "link")
    os.symlink(tmp_path, folder / "links")
    with pytest.raises(tg.onnx.OnnxError, match=r"external data|no folder"):
        tg.onnx.load(folder / "net.onnx")


@pytest.mark.parametrize("entries", [{"offset": -4}, {"offset": 12}, {"length": 8}, {"offset": "x"}, {"length": 2**62}])
def test_external_data_lie_within_their_file(entries, tmp_path):
    folder = with_external(tmp_path, "w.bin", **entries)
    (folder / "w.bin").write_bytes(bytes(24))
    with pytest.raises(tg.onnx.OnnxError, match="external data") as caught:
        tg.onnx.load(folder / "net.onnx")
    said = str(caught.value)
    assert "1 thing of this model" in said and said.count("external data") == 1 and "no node" not in said


def test_pipes_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", "a\0b"):
        with pytest.raises(tg.onnx.OnnxError, match="can't be read"):
            tg.onnx.load(path)


def test_sizes_are_checked_against_the_bytes_that_are_there(tmp_path):
    model = model_of("g (float[n, 2] x) => (float[n, 2] y) { y = MatMul (x, w) }")
    tensor = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, raw_data=bytes(16))
    for dims in ([2, 3], [2**40, 2**40], [-1, -4], [2] * 40, [2**62]):
        del tensor.dims[:]
        tensor.dims.extend(dims)
        with pytest.raises(tg.onnx.OnnxError, match="tensor 'w'"):
            tg.onnx.load(model)
    del tensor.dims[:]
    tensor.dims.extend([2, 2])
    assert tg.onnx.load(model).w.shape == (2, 2)
    with pytest.raises(tg.onnx.OnnxError, match="exceed 15 bytes"):
        tg.onnx.load(model, max_bytes=15)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(tg.onnx.OnnxError, match=r"more than max_bytes = 15"):
        tg.onnx.load(tmp_path / "net.onnx", max_bytes=15)
    with pytest.raises(tg.onnx.OnnxError) as caught:
        tg.onnx.load(tmp_path / "net.onnx", max_bytes=0)
    assert "can't be read" not in str(caught.value)
    for wrong in ("15", -1, 1.5, True):
        with pytest.raises(tg.ArgumentError, match="max_bytes must be an int"):
            tg.onnx.load(model, max_bytes=wrong)


LARGE = {
    "Expand": "s = Constant <value_ints: ints = [1000000, 1000000]> () y = Expand (x, s)",
    "Add": "a = Constant <value_ints: ints = [1, 100000]> () b = Constant <value_ints: ints = [100000, 1]> () "
    "r = ConstantOfShape (a) c = ConstantOfShape (b) y = Add (r, c)",
    "MatMul": "a = Constant <value_ints: ints = [100000, 1]> () b = Constant <value_ints: ints = [1, 100000]> () "
    "c = ConstantOfShape (a) r = ConstantOfShape (b) y = MatMul (c, r)",
    "Tile": "s = Constant <value_ints: ints = [1000000, 1000000]> () y = Tile (x, s)",
    "ConstantOfShape": "s = Constant <value_ints: ints = [1000000, 1000000]> () y = ConstantOfShape (s)",
    "Pad": "s = Constant <value_ints: ints = [0, 0, 1000000000, 1000000000]> () y = Pad (x, s)",
    "Resize": "s = Constant <value_floats: floats = [1000000.0, 1000000.0]> () y = Resize (x, , s)",
    "OneHot": "d = Constant <value_int: int = 1099511627776> () v = Constant <value_floats: floats = [0.0, 1.0]> () "
    "i = Cast <to: int = 7> (x) y = OneHot (i, d, v)",
    "Range": "a = Constant <value_int: int = 0> () b = Constant <value_int: int = 1099511627776> () "
    "c = Constant <value_int: int = 1> () y = Range (a, b, c)",
}


@pytest.mark.parametrize("name", LARGE)
def test_results_are_bounded(name):
    model = tg.onnx.load(model_of(f"g (float[n, m] x) => (float[p, q] y) {{ {LARGE[name]} }}"))
    with pytest.raises(tg.onnx.OnnxError, match="exceeds"):
        model(tg.ones(1, 1))


def test_a_loop_ends(monkeypatch):
    monkeypatch.setattr("tensorgrad.onnx.loading.running.STEPS", 500)
    model = tg.onnx.load(
        model_of(
            """g (float[n] x) => (float[n] y) {
            m = Constant <value_int: int = 4611686018427387904> () t = Constant <value = bool {1}> ()
            y = Loop (m, t, x) <body = b (int64 i, bool c, float[n] h) => (bool d, float[n] z) {
                d = Identity (c) z = Identity (h) }> }"""
        )
    )
    with pytest.raises(tg.onnx.OnnxError, match="at most 500 nodes"):
        model(tg.ones(2))


def doubling(depth):
    """Functions, each of which calls the next one twice."""
    domain = "d"
    functions = [
        helper.make_function(
            domain, f"f{k}", ["x"], ["y"],
            [helper.make_node(f"f{k + 1}", [a], [b], domain=domain) for a, b in ("xh", "hy")],
            [helper.make_opsetid("", 18), helper.make_opsetid(domain, 1)],
        )
        for k in range(depth)
    ]  # fmt: skip
    last = [helper.make_node("Identity", ["x"], ["y"])]
    functions.append(helper.make_function(domain, f"f{depth}", ["x"], ["y"], last, [helper.make_opsetid("", 18)]))
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("f0", ["x"], ["y"], domain=domain)], "g", value[:1], value[1:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(domain, 1)]
    return helper.make_model(graph, functions=functions, opset_imports=opsets)


def test_functions_within_functions_are_bounded(monkeypatch):
    monkeypatch.setattr("tensorgrad.onnx.loading.binding.STEPS", 1000)
    np.testing.assert_array_equal(tg.onnx.load(doubling(3))(tg.ones(2)).numpy(), np.ones(2))
    with pytest.raises(tg.onnx.OnnxError, match="more than 1,000 nodes"):
        tg.onnx.load(doubling(40))
    endless = doubling(1)
    endless.functions[1].node[0].CopyFrom(helper.make_node("f0", ["x"], ["y"], domain="d"))
    with pytest.raises(tg.onnx.OnnxError, match=r"deep|more than 1,000"):
        tg.onnx.load(endless)


def test_the_bounds_are_those_that_are_promised():
    assert limits.STEPS == 1_000_000 and limits.RESULT_BYTES == 2**32 and limits.FILE_BYTES == 2**31
    assert onnx.IR_VERSION >= 8
