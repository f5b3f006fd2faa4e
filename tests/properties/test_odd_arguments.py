"""Odd arguments are taken or refused with an error of tensorgrad's.

Generated: for every parameter of every public function whatever a user might put there. Never a bare TypeError or
AttributeError.
"""

import inspect
import warnings

import numpy as np
import pytest
from same_or_refused import result_of

import tensorgrad as tg
import tensorgrad.nn.functional as F

nn = tg.nn
pytestmark = pytest.mark.filterwarnings("ignore")

# ------------------------------------------------------------------------------------------------------------- anything
X = np.arange(1.0, 7).reshape(2, 3)
IMAGE = np.arange(36.0).reshape(1, 2, 3, 6)

GIVEN = {
    "x": X,
    "y": X,
    "input": X,
    "labels": [0, 1],
    "condition": X > 2,
    "tensors": [X, X],
    "weight": np.ones((3, 3)),
    "indices": [[0, 1, 0]],
    "axis": 0,
    "axes": (1, 0),
    "axis0": 0,
    "axis1": 1,
    "destination": 1,
    "dim": 0,
    "dim0": 0,
    "dim1": 1,
    "equation": "ij->i",
    "fill_value": 1.0,
    "order": (1, 0),
    "shape": None,
    "size": None,
    "sizes": (3, 2),
    "source": 0,
    "split_size_or_sections": 1,
    "tensor": [0, 1],
    "operands": X,
    "kernel_size": 2,
    "output_size": 2,
    "normalized_shape": 3,
    "num_groups": 1,
    "dtype": "float64",
    "start": 0,
    "end": 3,
    "steps": 3,
    "n": 3,
    "low": 0,
    "high": 5,
    "array": np.ones(2),
    "exporter": np.ones(2),
    "widths": 1,
    "seed": 0,
    "value": 1.0,
    "data": [1.0],
    "target": [0, 1],
}

FLAGS = {"requires_grad", "training", "ignored", "more"}

EXEMPT = {
    "compile",
    "vmap",
    "gradcheck",
    "load",
    "save",
    "load_metadata",
    "observe",
    "grad",
    "vjp",
    "hvp",
    "jacobian",
    "hessian",
}


EXEMPT |= {"no_grad", "enable_grad", "set_grad_enabled", "is_grad_enabled", "default_generator", "manual_seed"}


EXEMPT |= {"set_default_dtype"}  # it would stay for the tests that follow


def anything():
    """What a user might put anywhere."""
    return [
        True,
        False,
        None,
        "a",
        "",
        2.5,
        -7,
        0,
        (0, 1),
        [0],
        [],
        {},
        np.array([0, 1]),
        np.array(1),
        np.int64(1),
        np.float64(0.5),
        np.bool_(True),
        object(),
        tg.tensor(1),
        tg.tensor(1.5),
        tg.tensor([1.0, 2.0], requires_grad=True),
        tg.tensor(1.0, requires_grad=True),
        [tg.tensor(1.0, requires_grad=True), 2.0],
        float("nan"),
        float("inf"),
        10**30,
        1j,
        b"x",
        (True, 1),
        ((1, 2), (3, 4)),
        np.array("a"),
        range(2),
        slice(1),
        ...,
        type,
        np.float32,
        [[1.0], [1.0, 2.0]],
        {1, 2},
    ]


def every_parameter():
    for module in (tg, nn):
        for name, function in sorted(vars(module).items()):
            if inspect.isfunction(function) and name not in EXEMPT and not name.startswith("_"):
                parameters = inspect.signature(function).parameters
                if module is nn and "reduction" not in parameters:
                    continue
                for parameter in parameters:
                    if parameter not in FLAGS:
                        yield pytest.param(function, parameter, id=f"{name}-{parameter}")


@pytest.mark.cases("function, name", list(every_parameter()))
def test_anything_as_an_argument_is_taken_or_refused_with_an_error_of_ours(function, name):
    parameters = inspect.signature(function).parameters
    given = dict(GIVEN)
    if "target" in parameters and "weight" in parameters and "pos_weight" not in parameters:
        given["weight"] = np.ones(3)
    if function.__name__.startswith(("conv", "max_pool", "avg_pool", "adaptive")):
        rank = 1 if "1d" in function.__name__ else 2
        given |= {
            "input": IMAGE[0] if rank == 1 else IMAGE,
            "weight": np.ones((2, 3 if rank == 1 else 2) + (2,) * rank),
        }
    if ("loss" in function.__name__ and function.__name__ != "nll_loss") or function.__name__.startswith("binary"):
        given["target"] = np.full((2, 3), 0.5)
        given["input"] = np.full((2, 3), 0.25)
    for odd in anything():
        values = {k: odd if k == name else given.get(k, p.default) for k, p in parameters.items()}
        for k in {"ignored", "more"} & values.keys():
            del values[k]
        positional = [values.pop(k) for k, p in parameters.items() if k in values and p.kind is not p.KEYWORD_ONLY]
        _, error = result_of(lambda positional=positional, values=values: function(*positional, **values))
        assert error is None or isinstance(error, tg.TensorgradError), f"{odd!r}: bare {type(error).__name__}: {error}"


SQUARE = np.array([[4.0, 2.0], [2.0, 3.0]])

OF_FLAGS = {
    "upper": lambda flag: tg.linalg.cholesky(SQUARE, upper=flag),
    "full_matrices": lambda flag: tg.linalg.svd(SQUARE, flag),
    "left": lambda flag: tg.linalg.solve(SQUARE, SQUARE, left=flag),
    "hermitian": lambda flag: tg.linalg.matrix_rank(SQUARE, hermitian=flag),
    "keepdim": lambda flag: tg.linalg.vector_norm(SQUARE, keepdim=flag),
    "return_indices": lambda flag: F.adaptive_max_pool2d(IMAGE, 1, flag),
    "ceil_mode": lambda flag: F.lp_pool2d(IMAGE, 2, 2, None, flag),
    "align_corners": lambda flag: F.grid_sample(IMAGE, np.zeros((1, 1, 1, 2)), align_corners=flag),
    "antialias": lambda flag: F.interpolate(IMAGE, 2, mode="bilinear", antialias=flag),
    "log_target": lambda flag: F.kl_div(SQUARE, SQUARE, log_target=flag),
    "full": lambda flag: F.poisson_nll_loss(SQUARE, SQUARE, full=flag),
    "is_causal": lambda flag: F.scaled_dot_product_attention(IMAGE, IMAGE, IMAGE, is_causal=flag),
    "sparse": lambda flag: F.embedding([0, 1], SQUARE, sparse=flag),
}


@pytest.mark.parametrize("name", OF_FLAGS)
def test_a_flag_is_true_or_false(name):
    OF_FLAGS[name](np.bool_(False))
    for odd in (np.array([0, 1]), 1, "yes", object()):
        with pytest.raises(tg.ArgumentError, match=f"{name} must be True or False"):
            OF_FLAGS[name](odd)


def test_sizes_are_remembered_by_what_they_are():
    """(True, 1) equals (1, 1), and a tensor that was a stride may change."""
    x, w = tg.tensor(IMAGE), tg.ones(2, 2, 2, 2)
    assert tg.conv2d(x, w, stride=(1, 1)).shape == (1, 2, 2, 5)
    for bad in ((True, 1), (1.0, 1)):
        with pytest.raises(tg.DTypeError, match="whole numbers"):
            tg.conv2d(x, w, stride=bad)
    stride = tg.tensor(1)
    assert tg.conv2d(x, w, stride=stride).shape == (1, 2, 2, 5)
    stride[...] = 2
    assert tg.conv2d(x, w, stride=stride).shape == (1, 2, 1, 3)


def test_reflection_looks_at_the_axes_it_pads():
    assert nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")(tg.zeros(0, 1, 5, 5)).shape == (0, 2, 5, 5)
    assert F.pad(tg.zeros(0, 3), (1, 1), mode="circular").shape == (0, 5)
    with pytest.raises(tg.ShapeError, match="an axis of 0 elements"):
        F.pad(tg.zeros(1, 0, 3), (1, 1, 1, 0), mode="reflect")
    with pytest.raises(tg.ShapeError, match="2, 4 or 6 widths"):  # two axes of two: PyTorch refuses it too
        F.pad(tg.zeros(0, 3), (1, 1, 1, 0), mode="reflect")


def test_gradcheck_takes_one_tensor():
    x = tg.Tensor(np.array([0.5, 1.0]))
    assert tg.gradcheck(lambda x: x * x, x) and tg.gradcheck(lambda x: x * x, x.numpy())
    with pytest.raises(tg.GradientError):
        tg.gradcheck(lambda x: x * x.detach(), x)


def test_no_warning_is_an_answer():
    """Where NumPy warns, of integers divided by zero say, we raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (lambda: tg.tensor([1]) // 0, lambda: np.remainder(tg.tensor([1]), 0)):
            with pytest.raises(tg.ArgumentError):
                call()


# ---------------------------------------------------------------------------------------------------------------- sizes

HUGE = 10**15

TOO_LARGE = {
    "zeros": lambda big: tg.zeros(HUGE),
    "ones": lambda big: tg.ones(HUGE),
    "full": lambda big: tg.full(HUGE, 1.0),
    "eye": lambda big: tg.eye(10**9),
    "arange": lambda big: tg.arange(HUGE),
    "linspace": lambda big: tg.linspace(0, 1, HUGE),
    "rand": lambda big: tg.rand(HUGE),
    "randn": lambda big: tg.randn(HUGE),
    "randint": lambda big: tg.randint(0, 5, HUGE),
    "randperm": lambda big: tg.randperm(HUGE),
    "zeros_like": lambda big: tg.zeros_like(big),
    "ones_like": lambda big: tg.ones_like(big),
    "np.zeros_like": lambda big: np.zeros_like(big),
    "tensor": lambda big: tg.tensor(big),
    "tensor of an array": lambda big: tg.tensor(big.numpy()),
    "clone": lambda big: big.clone(),
    "astype": lambda big: big.astype("float64"),
    "tolist": lambda big: big.tolist(),
    "add": lambda big: big + 1,
    "cumsum": lambda big: big.cumsum(0),
    "stack": lambda big: tg.stack([big, big]),
    "concatenate": lambda big: tg.concatenate([big, big]),
    "a list": lambda big: tg.sum([big, big]),
    "einsum": lambda big: tg.einsum("i,j->ij", tg.ones(10**7), tg.ones(10**7)),
    "matmul": lambda big: tg.ones(10**7, 1) @ tg.ones(1, 10**7),
    "an index tensor": lambda big: tg.ones(3)[tg.zeros(1, dtype="int64").broadcast_to(HUGE)],
    "pad": lambda big: F.pad(tg.ones(2), (HUGE, HUGE)),
    "pad by repeats": lambda big: F.pad(tg.ones(2), (HUGE, HUGE), mode="replicate"),
    "one_hot": lambda big: tg.one_hot(tg.tensor([1]), HUGE),
    "one_hot by its labels": lambda big: tg.one_hot(tg.tensor([HUGE])),
    "conv2d": lambda big: tg.conv2d(tg.ones(1, 1, 3, 3), tg.ones(1, 1, 3, 3), padding=10**8),
    "Linear": lambda big: nn.Linear(10**8, 10**8),
    "Conv2d": lambda big: nn.Conv2d(10**7, 10**7, 9),
    "BatchNorm1d": lambda big: nn.BatchNorm1d(HUGE),
    "an initial value": lambda big: nn.init.normal_(big),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_sizes_that_no_memory_holds(name):
    big = tg.zeros(1).broadcast_to(HUGE)
    with pytest.raises(tg.OutOfMemoryError) as error:
        TOO_LARGE[name](big)
    assert isinstance(error.value, MemoryError) and isinstance(error.value, tg.ArgumentError)
    assert len(str(error.value).splitlines()) > 1, "an error restates the call"


def test_sizes_and_dtypes_that_a_random_tensor_cannot_have():
    for call in (lambda: tg.randperm(-1), lambda: tg.randint(0, 2, -1), lambda: tg.rand(-1), lambda: tg.randn(2, -1)):
        with pytest.raises(tg.ArgumentError):
            call()
    for dtype in ("int64", "uint8", "bool"):
        for maker in (tg.rand, tg.randn):  # fractions would be cut off, unsaid
            with pytest.raises(tg.DTypeError, match="randint"):
                maker(3, dtype=dtype)
    assert tg.randperm(0).shape == (0,) and tg.rand(3, dtype="float16").dtype == np.float16


def test_minus_two_is_no_size():
    for shape in ((-2,), (2, -3), (-1, -2)):
        with pytest.raises(tg.ShapeError, match="sizes must be ≥ 0"):
            tg.zeros(2, 3).reshape(shape)
