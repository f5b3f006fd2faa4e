"""Damaged ONNX files: bytes flipped, files cut short, fields of their messages changed."""

import functools
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from onnx import numpy_helper

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
NUMBERS = (0, 1, -1, 2, 3, 7, 255, 65_536, 2**31 - 1, 2**31, 2**40, 2**62, -(2**31), -(2**62))
TEXTS = ("", "x", "Conv", "Loop", "ai.onnx.ml", "..", "/etc/passwd", "\0", "é" * 300)


@functools.cache
def bases():
    """Whole files, each with inputs that it takes: convolutions, recurrent layers, loops, shapes that are computed."""
    wanted = [
        *(f"simple/test_{name}" for name in ("expand_shape_model1", "sequence_model1", "sequence_model7", "shrink")),
        *(f"pytorch-converted/test_{name}" for name in (
            "Conv2d_padding", "ConvTranspose2d", "MaxPool2d_stride_padding_dilation", "BatchNorm2d_eval", "Embedding",
            "GLU", "PixelShuffle", "ReflectionPad2d", "Linear", "AvgPool3d", "Conv1d_groups",
        )),
        *(f"pytorch-operator/test_operator_{name}" for name in (
            "addmm", "concat2", "pad", "repeat_dim_overflow", "reduced_mean", "view", "symbolic_override",
        )),
    ]  # fmt: skip
    found = []
    for name in wanted:
        folder = DATA / name
        inputs = [_tensor(path) for path in sorted(folder.glob("test_data_set_0/input_*.pb"))]
        found.append(((folder / "model.onnx").read_bytes(), inputs))
    return found + [_nodes(text) for text in TEXT_MODELS]


def _tensor(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


HEADER = '<ir_version: 8, opset_import: ["": 17]> '
TEXT_MODELS = [
    """g (float[n, 3] x) => (float[n, 3] y) {
        m = Constant <value_int: int = 4> () t = Constant <value = bool {1}> ()
        y = Loop (m, t, x) <body = b (int64 i, bool c, float[n, 3] h) => (bool d, float[n, 3] z) {
            d = Identity (c) z = Tanh (h) }> }""",
    """g (float[n, 3] x) => (float[k, l] y) {
        s = Shape (x) one = Constant <value_ints: ints = [1]> () m = Gather (s, one)
        two = Constant <value_ints: ints = [-1]> () shape = Concat <axis = 0> (two, m) r = Reshape (x, shape)
        times = Constant <value_ints: ints = [2, 3]> () y = Tile (r, times) }""",
    """g (float[t, n, 3] x, float[1, 8, 3] w, float[1, 8, 2] r) => (float[t, d, n, h] y) {
        y = LSTM <hidden_size: int = 2> (x, w, r) }""",
    """g (float[n, c, h, w] x) => (float[n, c, p, q] y) {
        sizes = Constant <value_ints: ints = [2, 3, 9, 7]> ()
        y = Resize <mode: string = "cubic"> (x, , , sizes) }""",
    """g (float[n, c, h, w] x) => (float[k] y) {
        zero = Constant <value_int: int = 0> () n = Constant <value_int: int = 6> ()
        one = Constant <value_int: int = 1> ()
        r = Range (zero, n, one) f = Cast <to: int = 1> (r) shape = Constant <value_ints: ints = [6]> ()
        e = ConstantOfShape (shape) y = Add (f, e) }""",
]


def _nodes(text):
    model = onnx.parser.parse_model(HEADER + text)
    rng = np.random.default_rng(0)
    sizes = {"n": 2, "t": 3, "c": 3, "h": 4, "w": 5}
    inputs = [
        rng.standard_normal([d.dim_value or sizes[d.dim_param] for d in v.type.tensor_type.shape.dim], np.float32)
        for v in model.graph.input
    ]
    return model.SerializeToString(), inputs


def damaged(seed):
    """The bytes of a damaged file, and the inputs of the whole one."""
    rng = np.random.default_rng(seed)
    content, inputs = bases()[rng.integers(len(bases()))]
    kind = rng.choice(["bytes", "cut", "fields"], p=[0.3, 0.1, 0.6])
    if kind == "cut":
        return content[: rng.integers(len(content))], inputs
    if kind == "bytes":
        array = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(len(array), size=rng.integers(1, 6))
        array[places] = rng.integers(256, size=len(places))
        return array.tobytes(), inputs
    model = onnx.ModelProto()
    model.ParseFromString(content)
    for _ in range(rng.integers(1, 4)):
        _change(rng, model)
    return model.SerializeToString(), inputs


def _change(rng, message):
    """Change one field of the message, or of one of those in it."""
    while True:
        fields = [(field, value) for field, value in message.ListFields()]
        if not fields:
            return
        field, value = fields[rng.integers(len(fields))]
        repeated = hasattr(value, "append")
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if repeated:
                if rng.random() < 0.15:
                    del value[rng.integers(len(value))]
                    return
                if rng.random() < 0.1:
                    value.append(value[rng.integers(len(value))])
                    return
                message = value[rng.integers(len(value))]
            else:
                message = value
            continue
        _set(rng, message, field, value, repeated)
        return


def _set(rng, message, field, value, repeated):
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        new = TEXTS[rng.integers(len(TEXTS))]
        new = new.encode() if field.type == FieldDescriptor.TYPE_BYTES else new
    elif field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        new = float(rng.choice([0, -1, 1e30, np.nan, np.inf, 0.5]))
    else:
        new = int(rng.choice(np.array(NUMBERS)))
    try:
        if repeated:
            value[rng.integers(len(value))] = new
        else:
            setattr(message, field.name, new)
    except (ValueError, TypeError):  # out of the field's range
        message.ClearField(field.name)
