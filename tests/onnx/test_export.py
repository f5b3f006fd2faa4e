"""`tg.onnx.export`: what is written gives the same in ONNX Runtime and when it is read again, in any batch size."""

import numpy as np
import pytest

pytest.importorskip("onnx.helper")  # "onnx" alone would find the folder of these tests
pytest.importorskip("onnxruntime")

import onnx
from onnx_layers import CASES, Function, normal

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn
from tensorgrad.nn import models
from tools.onnx_roundtrip import EXAMPLES, check, example_network, flat, run, settle


@pytest.mark.cases("name", list(CASES), ids=str)
def test_layers_and_functions(name, tmp_path_factory):
    model, inputs = CASES[name]
    check(model, inputs, tmp_path_factory.getbasetemp() / "layer.onnx")


MODELS = {
    "LeNet": (lambda: models.LeNet(), (1, 32, 32)),
    "CifarResNet": (lambda: models.CifarResNet(1), (3, 16, 16)),
    "CifarResNet B": (lambda: models.CifarResNet(1, option="B"), (3, 16, 16)),
    "UNet": (lambda: models.UNet(3, 2, width=4), (3, 16, 16)),
    "UNet bilinear": (lambda: models.UNet(3, 2, bilinear=True, width=4), (3, 16, 16)),
    "DSCNN": (lambda: models.DSCNN(), (1, 49, 10)),
    "SqueezeNet": (lambda: models.squeezenet1_1(num_classes=5), (3, 33, 33)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name, tmp_path):
    tg.manual_seed(0)
    make, shape = MODELS[name]
    model = settle(make(), [normal(4, *shape)])
    again = check(model, normal(1, *shape), tmp_path / "model.onnx", batch=2)
    theirs, ours = again.state_dict(), model.state_dict()
    assert {*theirs} == {name for name in ours if not name.endswith("num_batches_tracked")}
    assert all(np.array_equal(theirs[name], ours[name]) for name in theirs)
    assert [n for n, _ in again.named_parameters()] == [n for n, _ in model.named_parameters()]


@pytest.mark.parametrize("name", EXAMPLES)
def test_networks_of_the_examples(name, tmp_path):
    tg.manual_seed(0)
    shape = EXAMPLES[name][2]
    model = settle(example_network(name), [normal(4, *shape)])
    check(model, normal(1, *shape), tmp_path / "model.onnx", batch=2)


def test_training_goes_on_where_it_was(tmp_path):
    tg.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)
    )
    tg.onnx.export(settle(model, [normal(6, 1, 8, 8)]), normal(1, 1, 8, 8), tmp_path / "net.onnx")
    again = tg.onnx.load(tmp_path / "net.onnx")
    batches = [(normal(6, 1, 8, 8), tg.tensor(np.arange(6) % 3)) for _ in range(5)]
    for net in (model, again):
        net.train()
        optimizer = nn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for x, labels in batches:
            optimizer.zero_grad()
            nn.cross_entropy(net(x), labels).backward()
            optimizer.step()
    ours, theirs = model.state_dict(), again.state_dict()
    for name, value in theirs.items():
        np.testing.assert_allclose(value, ours[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert "1.running_mean" in theirs


def test_the_file_states_what_was_promised(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(), nn.BatchNorm1d(3)).train()
    path = tmp_path / "net.onnx"
    tg.onnx.export(model, tg.zeros(2, 4), path, input_names=["features"], output_names=["scores"])
    assert all(module.training for module in model.modules())
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.opset_import[0].version >= 17
    assert [node.op_type for node in proto.graph.node] == ["Gemm", "BatchNormalization", "Identity"]
    assert [(v.name, v.type.tensor_type.shape.dim[0].dim_param) for v in proto.graph.input] == [("features", "batch")]
    assert [v.name for v in proto.graph.output] == ["scores"]
    names = {tensor.name for tensor in proto.graph.initializer}
    assert names == {"0.weight", "0.bias", "2.weight", "2.bias", "2.running_mean", "2.running_var"}


def test_names_of_nodes_and_tensors_never_meet(tmp_path):
    class Confusing(nn.Module):
        def __init__(self):
            self.constant, self.Relu = nn.Parameter([2.0, 3.0]), nn.Parameter([1.0, -1.0])

        def forward(self, x):
            return (x * self.constant + self.Relu).relu() * 0.5

    check(Confusing(), normal(1, 2), tmp_path / "net.onnx", input_names=["Mul"], output_names=["Add"])


def test_a_fixed_size_and_another_axis(tmp_path):
    path, model = tmp_path / "net.onnx", Function(lambda x: x.reshape(2, -1) @ x.reshape(-1, 2))
    check(model, normal(2, 4), path, batch_axis=None)
    assert onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    with pytest.raises(tg.onnx.OnnxError, match="batch_axis=None"):
        tg.onnx.export(Function(lambda x: x.reshape(8)), normal(2, 4), path)
    layer = nn.LSTM(3, 2)
    tg.onnx.export(layer, normal(5, 1, 3), path, batch_axis=1)
    x = normal(5, 7, 3)
    for got, z in zip(run(path, [x]), flat(layer(x)), strict=True):
        np.testing.assert_allclose(got, z.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_recurrent_layer_is_one_node(tmp_path):
    layer = nn.GRU(3, 2, num_layers=2)
    tg.onnx.export(layer, normal(5, 1, 3), tmp_path / "net.onnx", batch_axis=1)
    kinds = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert kinds.count("GRU") == 2 and "Tanh" not in kinds
    assert "forward" not in vars(layer)


def test_what_onnx_lacks_is_listed_at_once(tmp_path):
    def several(x):
        values = F.dropout(x, 0.5, training=True)
        return values.nanmedian(1)[0] + x.digamma().sum(1) + float(x.mean()) + x.numpy().max()

    with pytest.raises(tg.onnx.OnnxError) as caught:
        tg.onnx.export(Function(several), normal(2, 4), tmp_path / "net.onnx")
    said = str(caught.value)
    assert all(word in said for word in ("argmedian", "digamma", "random", "item()", "numpy()"))
    assert not (tmp_path / "net.onnx").exists()


RANDOM = {
    "uniform": (lambda x: x * tg.rand(4), "multiply in the model: a tensor of it is random"),
    "dropout": (lambda x: F.dropout(x, 0.5, training=True), "random"),
    "one of two": (lambda x: x * tg.randint(0, 2, ()), "random"),  # often the same in all calls
    "an order": (lambda x: x[:, tg.randperm(4)], "random"),
    "NumPy's": (lambda x: x * tg.tensor(np.random.standard_normal(4)), "differs from call to call"),
}


@pytest.mark.parametrize("axis", [0, None])
@pytest.mark.parametrize("name", RANDOM)
def test_random_numbers_do_not_become_constants(name, axis, tmp_path):
    function, words = RANDOM[name]
    with pytest.raises(tg.onnx.OnnxError, match=words) as caught:
        tg.onnx.export(Function(function), normal(2, 4), tmp_path / "net.onnx", batch_axis=axis)
    assert axis == 0 or "batch" not in str(caught.value)
    assert not (tmp_path / "net.onnx").exists()


class Counting(nn.Module):
    """Changes its state at each call, in one of several ways."""

    def __init__(self, change):
        self.change, self.scale = change, nn.Parameter(tg.ones(4))
        self.register_buffer("calls", tg.zeros(4))

    def forward(self, x):
        self.change(self)
        return x * self.calls + self.scale


CHANGES = {
    "in place": (lambda m: m.calls.add_(1.0), "calls"),
    "another tensor": (lambda m: setattr(m, "calls", m.calls + 1.0), "calls"),
    "running statistics": (lambda m: F.batch_norm(tg.ones(3, 4), m.calls, tg.ones(4), training=True), "calls"),
    "a parameter": (lambda m: m.scale.detach().mul_(2.0), "scale"),
}


@pytest.mark.parametrize("axis", [0, None])
@pytest.mark.parametrize("name", CHANGES)
def test_a_model_that_changes_itself_is_refused_and_as_before(name, axis, tmp_path):
    change, changed = CHANGES[name]
    model = nn.Sequential(Counting(change))
    tensors = [*model.parameters(), *model.buffers()]
    with pytest.raises(tg.onnx.OnnxError, match=rf"no such state:\n  - 0\.{changed}\n  fix"):
        tg.onnx.export(model, normal(2, 4), tmp_path / "net.onnx", batch_axis=axis)
    assert all(a is b for a, b in zip([*model.parameters(), *model.buffers()], tensors, strict=True))
    assert model[0].calls.tolist() == [0.0] * 4 and model[0].scale.tolist() == [1.0] * 4


def test_what_hooks_do_is_written(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    model[0].register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))
    model[1].register_forward_hook(lambda module, inputs, output: output + inputs[0])
    again = check(model, normal(1, 4), tmp_path / "net.onnx")
    x = normal(5, 4)
    z = model[0].weight.detach().numpy() @ (2 * x.numpy()).T + model[0].bias.detach().numpy()[:, None]
    np.testing.assert_allclose(again(x).detach().numpy(), (np.tanh(z) + z).T, rtol=1e-5, atol=1e-6)


def test_bags_of_several_sizes_are_refused(tmp_path):
    bags = nn.EmbeddingBag(5, 3)
    with pytest.raises(tg.onnx.OnnxError, match="row_sums"):
        tg.onnx.export(bags, (tg.tensor([1, 2, 4]), tg.tensor([0, 1, 3])), tmp_path / "net.onnx", batch_axis=None)
    bags = nn.EmbeddingBag(5, 3, max_norm=1.0)
    with pytest.raises(tg.onnx.OnnxError, match="- weight"):
        tg.onnx.export(bags, tg.tensor([[1, 2]]), tmp_path / "net.onnx")
    assert "forward" not in vars(bags)


def test_angles_and_quotients_at_singular_points(tmp_path):
    def both(x, y):
        return tg.atan2(x, y), x // y, x % y, tg.fmod(x, y)

    special = np.array([0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 3.0, 1e-30, 1e30, np.inf, -np.inf, np.nan], np.float32)
    x, y = (tg.tensor(a.ravel().copy()) for a in np.meshgrid(special, special))
    tg.onnx.export(Function(both), (x, y), tmp_path / "net.onnx")
    with np.errstate(all="ignore"):
        expected = np.arctan2(x.data, y.data), x.data // y.data, x.data % y.data, np.fmod(x.data, y.data)
    for got, want in zip(run(tmp_path / "net.onnx", [x, y]), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: tg.onnx.export(tg.relu, tg.zeros(1), path), "expected a Module"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(()), path), "no axis 0"),
        (lambda path: tg.onnx.export(nn.ReLU(), (tg.zeros(2, 1), tg.zeros(3, 1)), path), "same number of examples"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(1, 2), path, input_names=["a", "b"]), "1 names"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(1, 2), path, input_names="a"), "must be a list"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(1, 2), path, output_names=3), "must be a list"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(1, 2), path, batch_axis="0"), "batch_axis must be an int"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(1, 2), path, batch_axis=True), "batch_axis must be an int"),
        (lambda path: tg.onnx.export(nn.ReLU(), {"x": tg.zeros(1, 2)}, path), "got a dict"),
        (lambda path: tg.onnx.export(nn.LazyLinear(3), tg.zeros(1, 2), path), "call the model once"),
        (lambda path: tg.onnx.export(nn.Linear(3, 2), tg.zeros(1, 2), path), "model fails"),
        (lambda path: tg.onnx.export(nn.Linear(2, 2), tg.zeros(1, 2), path, input_names=["bias"]), "two tensors"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(1, 2), path, output_names=["input"]), "two tensors"),
        (lambda path: tg.onnx.export(nn.ReLU(), tg.zeros(1, 2), path / "missing" / "x"), "create the folder"),
    ],
)
def test_misuses(call, words, tmp_path):
    with pytest.raises(tg.TensorgradError, match=words):
        call(tmp_path / "x.onnx" if "missing" not in words else tmp_path)
