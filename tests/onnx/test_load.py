"""`tg.onnx.load`: what of a file becomes parameters, how the module is called, trained, compiled and drawn."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("onnx.helper")  # "onnx" alone would find the folder of these tests

from onnx import helper, numpy_helper, parser

import tensorgrad as tg
from tensorgrad import nn


def model_of(text, opset=17, **initializers):
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> {text}')
    for name, array in initializers.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name.replace("__", ".")))
    return model


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def convolution():
    w, scale, bias, mean, var = arrays(0, (3, 2, 3, 3), (3,), (3,), (3,), (3,))
    text = """g (float[n, 2, h, w] x) => (float[n, 3, p, q] y) {
        c = Conv <pads: ints = [1, 1, 1, 1]> (x, "conv.weight")
        b = BatchNormalization (c, "bn.weight", "bn.bias", "bn.mean", "bn.var")
        l = Clip (b, low) y = Upsample_scaled (l) }""".replace("y = Upsample_scaled (l)", "y = Resize (l, , scales)")
    text = text.replace('"', "").replace("conv.weight", "conv_w").replace("bn.", "bn_")
    model = model_of(text, low=np.float32(0), scales=np.array([1, 1, 2, 2], np.float32))
    names = {"conv_w": "conv.weight", "bn_weight": "bn.weight", "bn_bias": "bn.bias", "bn_mean": "bn.mean"}
    names |= {"bn_var": "bn.var"}
    for node in model.graph.node:
        for k, name in enumerate(node.input):
            node.input[k] = names.get(name, name)
    for name, array in zip(names.values(), (w, scale, bias, mean, var**2 + 0.5), strict=True):
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return tg.onnx.load(model)


def test_initializers_become_parameters_buffers_and_constants():
    model = convolution()
    assert [name for name, _ in model.named_parameters()] == ["conv.weight", "bn.weight", "bn.bias"]
    assert [name for name, _ in model.named_buffers()] == ["bn.mean", "bn.var"]
    assert not model.training
    assert "(x) -> (y), nodes=4" in repr(model)
    assert model.input_names == ("x",) and model.output_names == ("y",)


def test_the_module_is_copied_pickled_saved_and_changed(tmp_path):
    model, x = convolution(), tg.tensor(arrays(1, (2, 2, 5, 5))[0])
    z = model(x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other(x).detach().numpy(), z.detach().numpy())
    tg.save(model.state_dict(), tmp_path / "w.safetensors")
    other = convolution()
    other.conv.weight = nn.Parameter(np.zeros((3, 2, 3, 3), np.float32))
    assert not np.allclose(other(x).detach().numpy(), z.detach().numpy())
    other.load_state_dict(tg.load(tmp_path / "w.safetensors"))
    np.testing.assert_array_equal(other(x).detach().numpy(), z.detach().numpy())


def test_gradients_are_those_of_the_same_network():
    model = convolution()
    x = tg.tensor(arrays(2, (2, 2, 4, 4))[0])
    upstream = tg.tensor(arrays(3, (2, 3, 8, 8))[0])
    for training in (False, True):
        model.train(training)
        state = {name: tg.tensor(value) for name, value in model.state_dict().items()}
        w, scale, bias = (state[k].detach() for k in ("conv.weight", "bn.weight", "bn.bias"))
        for t in (w, scale, bias):
            t.requires_grad = True
        z = tg.conv2d(x, w, padding=1)
        z = tg.batch_norm(z, state["bn.mean"], state["bn.var"], scale, bias, training=training)
        (nn.functional.interpolate(z.clip(min=0), scale_factor=2) * upstream).sum().backward()
        model.zero_grad()
        (model(x) * upstream).sum().backward()
        expected = {"conv.weight": w, "bn.weight": scale, "bn.bias": bias}
        for name, parameter in model.named_parameters():
            np.testing.assert_allclose(parameter.grad.numpy(), expected[name].grad.numpy(), rtol=1e-5, atol=1e-5)
        for name in ("bn.mean", "bn.var"):  # in training they follow the batch
            np.testing.assert_allclose(model.state_dict()[name], state[name].numpy(), rtol=1e-5, atol=1e-6)


SHAPES = """g (float[n, 3, 4] x) => (float[k, l] y) {
    s = Shape (x) zero = Constant <value_ints: ints = [0]> () n = Gather (s, zero)
    rest = Constant <value_ints: ints = [-1]> () shape = Concat <axis = 0> (n, rest)
    r = Reshape (x, shape) y = MatMul (r, w) }"""


def test_shapes_that_are_computed_need_no_values_of_tensors():
    (w,) = arrays(0, (12, 2))
    model = tg.onnx.load(model_of(SHAPES, w=w))
    compiled = tg.compile(lambda x: model(x).sum())
    for n in (2, 2, 2, 5, 5, 5):
        x = tg.tensor(arrays(n, (n, 3, 4))[0])
        np.testing.assert_allclose(compiled(x).item(), (x.numpy().reshape(n, 12) @ w).sum(), rtol=1e-4, atol=1e-5)
    assert compiled.replays >= 2

    class Ops(tg.Observer):
        names = ()

        def op_applied(self, op, inputs, output):
            self.names += (op.name,)

    with tg.observe(Ops()) as seen:
        model(x)
    assert seen.names == ("reshape", "matmul")


def test_it_is_drawn():
    model = convolution()
    with tg.viz.trace() as step:
        model(tg.tensor(arrays(1, (1, 2, 4, 4))[0])).sum().backward()
    text = tg.viz.text(step)
    assert "conv.weight" in text and "bn.bias" in text


def test_everything_that_is_in_the_way_is_listed_at_once():
    text = """g (float[n] x) => (float[n] y, float[n] z) {
        a = NoSuchOp (x) b = Softmax <axes: ints = [1]> (x) c = Cast <to: int = 16> (x)
        d = Resize <mode: string = "lanczos"> (x) e = Gemm (x) f = Relu (x, x) y = Add (a, nowhere) }"""
    with pytest.raises(tg.onnx.OnnxError) as caught:
        tg.onnx.load(model_of(text))
    lines = str(caught.value).splitlines()
    assert lines[0] == "onnx.load: 8 things of this model can't be taken:"
    said = "\n".join(lines[1:])
    for words in (
        "NoSuchOp 'a': no such op", "Softmax 'b': attribute axes isn't", "Cast 'c': attribute to has", "lanczos",
        "Gemm 'e': its input b is missing", "Relu 'f': it takes 1 inputs", "makes its input 'nowhere'", "output 'z'",
    ):  # fmt: skip
        assert words in said, words


@pytest.mark.parametrize(
    ("opset", "text", "function"),
    [
        (1, "y = Add <broadcast: int = 1, axis: int = 1> (x, w)", lambda x, w: x + w[:, None]),
        (6, "y = Squeeze <axes: ints = [0]> (r) r = Identity (x)", None),
        (9, "y = Clip <min: float = -0.5, max: float = 0.5> (x)", lambda x, w: x.clip(-0.5, 0.5)),
        (9, "y = Slice <starts: ints = [1], ends: ints = [3], axes: ints = [2]> (x)", lambda x, w: x[:, :, 1:3]),
        (11, "y = Softmax <axis: int = 1> (x)", lambda x, w: np.exp(x) / np.exp(x).sum((1, 2), keepdims=True)),
        (13, "y = Softmax <axis: int = 1> (x)", lambda x, w: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        (11, "y = ReduceSum <axes: ints = [1], keepdims: int = 0> (x)", lambda x, w: x.sum(1)),
        (9, 'y = Upsample <mode: string = "nearest"> (x, s)', lambda x, w: x.repeat(2, 2)),
    ],
)
def test_older_versions_of_ops(opset, text, function):
    model = model_of(
        f"g (float[2, 3, 4] x) => (float[a, b, c] y) {{ {text} }}", opset, w=np.arange(3, dtype=np.float32)
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 2], np.float32), "s"))
    if function is None:
        with pytest.raises(tg.onnx.OnnxError, match="'r'"):
            tg.onnx.load(model)
        return
    (x,) = arrays(0, (2, 3, 4))
    z = tg.onnx.load(model)(x).numpy()
    np.testing.assert_allclose(z, function(x, np.arange(3, dtype=np.float32)), rtol=1e-5, atol=1e-6)


def test_functions_of_the_model():
    nodes = [helper.make_node("Elu", ["a"], ["b"]), helper.make_node("Add", ["b", "a"], ["c"])]
    nodes[0].attribute.add(name="alpha", ref_attr_name="slope", type=1)
    function = helper.make_function("d", "Twice", ["a"], ["c"], nodes, [helper.make_opsetid("", 17)], ["slope"])
    model = model_of("g (float[n] x) => (float[n] y) { y = Identity (x) }")
    model.functions.append(function)
    model.graph.node[0].CopyFrom(helper.make_node("Twice", ["x"], ["y"], domain="d", slope=2.0))
    model.opset_import.append(helper.make_opsetid("d", 1))
    x = np.array([-1.0, 2.0], np.float32)
    np.testing.assert_allclose(tg.onnx.load(model)(x).numpy(), [2 * np.expm1(-1) - 1, 4], rtol=1e-6)


def test_calls():
    text = "g (float[n] x, float[n] z) => (float[n] s, float[n] d) { s = Add (x, z) d = Sub (x, z) }"
    model = tg.onnx.load(model_of(text))
    for got in (model([3.0], [1.0]), model(tg.tensor([3.0]), z=np.float32([1])), model(x=[3.0], z=[1.0])):
        assert [t.tolist() for t in got] == [[4.0], [2.0]]
    for call, words in (
        (lambda: model([1.0]), "inputs z are missing"),
        (lambda: model([1.0], [1.0], [1.0]), "its inputs are x, z"),
        (lambda: model([1.0], q=[1.0]), "its inputs are x, z"),
        (lambda: model([1], [1]), r"must be of float32"),
        (lambda: model([1.0, 2.0], [1.0, 2.0, 3.0]), "Add 's'"),
    ):
        with pytest.raises(tg.TensorgradError, match=words):
            call()


def test_names_that_cannot_be_attributes_keep_their_tensors():
    w = np.ones(2, np.float32)
    text = "g (float[n] x) => (float[n] y) { a = Add (x, p) b = Add (a, q) c = Add (b, r) y = Add (c, s) }"
    model = model_of(text)
    for short, name in {"p": "forward", "q": "a.b", "r": "a.b.c", "s": "/w/1"}.items():
        for node in model.graph.node:
            if short in list(node.input):
                node.input[1] = name
        model.graph.initializer.append(numpy_helper.from_array(w, name))
    loaded = tg.onnx.load(model)
    assert {n for n, _ in loaded.named_parameters()} == {"forward_", "a.b", "a_b_c", "/w/1"}
    np.testing.assert_array_equal(loaded(w).detach().numpy(), 5 * w)


def test_a_converted_model_takes_inputs_of_its_dtype(tmp_path):
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Conv1d(5, 3, 3), nn.Sigmoid())
    x = tg.randn(3, 5, 4, dtype="float64")
    tg.onnx.export(model, tg.zeros(1, 5, 4), tmp_path / "net.onnx")
    loaded = tg.onnx.load(tmp_path / "net.onnx").double()
    np.testing.assert_allclose(loaded(x).detach(), model.double()(x).detach(), rtol=1e-12, atol=1e-12)
    with pytest.raises(tg.DTypeError, match=r"must be of float64[^?]*tg.as_tensor\(input, dtype=tg.float64\)"):
        loaded(tg.zeros(1, 5, 4))
    assert loaded.float()(tg.zeros(1, 5, 4)).dtype == np.float32


def test_dropout_drops_in_training_mode():
    model = tg.onnx.load(model_of("g (float[n] x) => (float[n] y) { y = Dropout (x) }"))
    x = tg.ones(1000)
    assert model(x).tolist() == x.tolist()
    tg.manual_seed(0)
    dropped = model.train()(x).numpy()
    assert {*dropped.tolist()} == {0.0, 2.0} and 400 < (dropped == 0).sum() < 600


def test_without_the_package(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("tensorgrad.onnx.reading.errors.imported", missing)
    for call in (lambda: tg.onnx.load("x"), lambda: tg.onnx.export(nn.ReLU(), tg.zeros(1), "x")):
        with pytest.raises(ImportError, match=r"pip install 'tensorgrad-engine\[onnx\]'"):
            call()


def test_drawings_show_the_modules_that_names_of_nodes_tell(tmp_path):
    class Block(nn.Module):
        def __init__(self):
            self.inner = nn.Sequential(nn.Linear(3, 3), nn.GELU())

        def forward(self, x):
            return x + self.inner(x)

    class Scopes(tg.Observer):
        def __init__(self):
            self.seen = []

        def scope_entered(self, scope):
            self.seen.append(f"+{scope.path}")

        def scope_left(self, scope):
            self.seen.append(f"-{scope.path}")

        def op_applied(self, op, inputs, output):
            self.seen.append(op.name)

    tg.onnx.export(nn.Sequential(Block()), tg.zeros(1, 3), tmp_path / "net.onnx")
    model = tg.onnx.load(tmp_path / "net.onnx")
    with tg.observe(Scopes()) as scopes:
        nn.Sequential(nn.ReLU(), model)(tg.ones(2, 3))
    assert "+1.0.inner.1" in scopes.seen  # in a larger model
    model = tg.onnx.load(tmp_path / "net.onnx")
    with tg.observe(Scopes()) as scopes:
        model(tg.ones(2, 3))
    seen = [word for word in scopes.seen if word[0] in "+-" or word in ("linear", "erf", "add")]
    gelu = ["+0.inner.1", "erf", "add", "-0.inner.1"]
    assert seen == ["+", "+0", "+0.inner", "+0.inner.0", "linear", "-0.inner.0", *gelu, "-0.inner", "add", "-0", "-"]
