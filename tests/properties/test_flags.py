"""Every option that is True or False refuses all else, which often was meant for the argument beside it."""

import inspect
import io

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn

SPACES = (tg, F, tg.Tensor, tg.linalg, tg.special, tg.func, nn.init, nn.utils)
X = tg.tensor(np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32))
LEAF = X.clone().requires_grad_()
ROWS, IMAGES, VOLUMES = X.reshape(1, 3, 3), X.reshape(1, 1, 3, 3), X.reshape(1, 1, 1, 3, 3)
WHOLE, SORTED = tg.tensor([[0, 1, 2]]), X[0].sort().values


def square(x):
    return (x * x).sum()


def saved():
    file = io.BytesIO()
    tg.save({"x": X}, file)
    file.seek(0)
    return file


def by_name(names, *arguments, **keywords):
    return dict.fromkeys(names.split(), (arguments, keywords))


# Arguments with which a function runs, by its name.
ARGUMENTS = (
    by_name(
        "all alpha_dropout amax amin aminmax any argmax argmin argsort celu dropout elu empty_like "
        "feature_alpha_dropout gumbel_softmax hardsigmoid hardswish hardtanh leaky_relu matrix_norm "
        "matrix_rank max mean median min mish mode nanmean nanmedian nansum nonzero norm numpy ones_like pinv "
        "prod qr rand_like randn_like relu relu6 rrelu selu silu sort std std_mean sum svd type unique "
        "unique_consecutive var var_mean vector_norm zeros_like copy",
        X,
    )
    | by_name("allclose isclose isin pairwise_distance", X, X)
    | by_name("fractional_max_pool2d", tg.ones(1, 2, 4, 4), 2, 2)
    | by_name("fractional_max_pool3d", tg.ones(1, 2, 4, 4, 4), 2, 2)
    | by_name("use_deterministic_algorithms", True)
    | by_name("cuda requires_grad_ to", X.clone())
    | by_name("dropout1d instance_norm", ROWS)
    | by_name("dropout2d", IMAGES)
    | by_name("dropout3d", VOLUMES)
    | by_name("adaptive_max_pool1d avg_pool1d max_pool1d", ROWS, 1)
    | by_name("adaptive_max_pool2d avg_pool2d max_pool2d", IMAGES, 1)
    | by_name("adaptive_max_pool3d avg_pool3d max_pool3d", VOLUMES, 1)
    | by_name("lp_pool1d", ROWS, 2, 1)
    | by_name("lp_pool2d", IMAGES, 2, 1)
    | by_name("lp_pool3d", VOLUMES, 2, 1)
    | by_name("batch_norm", X, None, None)
    | by_name("feature_dropout", X, 0.5)
    | by_name("logsumexp", X, 0)
    | by_name("kthvalue topk", X, 1)
    | by_name("quantile nanquantile", X, 0.5)
    | by_name("threshold", X, 0.0, 0.0)
    | by_name("multinomial", X[0].abs(), 1)
    | by_name("vander", X[0])
    | by_name("empty eye ones rand randn zeros", 2)
    | by_name("arange", 2.0)
    | by_name("randperm", 2, dtype="float32")
    | by_name("randint", 3, (2,), dtype="float32")
    | by_name("full", (2,), 1.0)
    | by_name("linspace logspace", 0, 1, 2)
    | by_name("normal", 0.0, 1.0, (2,))
    | by_name("tensor", [1.0])
    | by_name("full_like", X, 1.0)
    | by_name("randint_like", X, 3)
    | by_name("tril_indices triu_indices", 2, 2)
    | by_name("bucketize", X, SORTED)
    | by_name("searchsorted", SORTED, X)
    | by_name("cholesky", X @ X.mT + tg.eye(3))
    | by_name("solve", X, X)
    | by_name("embedding embedding_bag", WHOLE, X)
    | by_name("gather", X, 0, WHOLE)
    | by_name("index_put", X, (WHOLE[0],), tg.tensor(1.0))
    | by_name("scatter_reduce", X, 0, WHOLE, X[:1], "sum")
    | by_name("affine_grid", tg.ones(1, 2, 3), (1, 1, 3, 3))
    | by_name("grid_sample", IMAGES, tg.zeros(1, 2, 2, 2))
    | by_name("interpolate upsample", IMAGES, scale_factor=2.0, mode="bilinear")
    | by_name("kl_div poisson_nll_loss", X.abs(), X.abs())
    | by_name("gaussian_nll_loss", X, X, X.abs())
    | by_name("triplet_margin_loss triplet_margin_with_distance_loss", X, X, X)
    | by_name("ctc_loss", X.reshape(3, 1, 3), tg.tensor([[1, 2]]), tg.tensor([3]), tg.tensor([2]))
    | by_name("scaled_dot_product_attention", ROWS, ROWS, ROWS)
    | by_name("copy_", X.clone(), X)
    | by_name("fill_diagonal_", X.clone(), 1.0)
    | by_name("new_empty new_ones new_zeros", X, 2)
    | by_name("new_full", X, (2,), 1.0)
    | by_name("new_tensor", X, [1.0])
    | by_name("functional_call", nn.Linear(3, 1), {}, X)
    | by_name("clip_grad_norm", X, 1.0)
    | by_name("inference_mode")
)
DIFFERENTIATED = {
    "backward": lambda **flags: square(LEAF).backward(**flags),
    "grad": lambda **flags: tg.grad(square(LEAF), LEAF, **flags),
    "func.grad": lambda **flags: tg.func.grad(square, **flags)(X),
    "func.grad_and_value": lambda **flags: tg.func.grad_and_value(square, **flags)(X),
    "func.jacfwd": lambda **flags: tg.func.jacfwd(square, **flags)(X),
    "func.jacrev": lambda **flags: tg.func.jacrev(square, **flags)(X),
    "func.jvp": lambda **flags: tg.func.jvp(square, (X,), (X,), **flags),
    "func.vjp": lambda **flags: tg.func.vjp(square, X, **flags),
    "set_grad_enabled": tg.set_grad_enabled,
    "load": lambda **flags: tg.load(saved(), **flags),
}


def is_flag(parameter):
    return type(parameter.default) is bool or str(parameter.annotation) in ("bool", "bool | None", "builtins.bool")


def functions_with_flags():
    """Each public function that takes flags, under its name, with the names of its flags."""
    found = {}
    for space in SPACES:
        for name in dir(space):
            function = getattr(space, name, None)  # a foreign name of Tensor's raises
            if name[0] == "_" or not callable(function) or (inspect.isclass(function) and name != "set_grad_enabled"):
                continue
            try:
                flags = [p.name for p in inspect.signature(function).parameters.values() if is_flag(p)]
            except ValueError:  # a type of NumPy's
                continue
            if flags:
                key = f"func.{name}" if space is tg.func and name != "functional_call" else name
                found.setdefault(function, (key, flags))
    return [(key, function, flag) for function, (key, flags) in found.items() for flag in flags]


CALLS = functions_with_flags()


def call(key, function, **flags):
    if key in DIFFERENTIATED:
        return DIFFERENTIATED[key](**flags)
    arguments, keywords = ARGUMENTS[key]
    return function(*arguments, **keywords | flags)


def test_all_kinds_of_functions_are_found():
    assert len(CALLS) > 150
    assert {"dropout", "zeros", "grad", "sum", "backward", "relu", "func.jvp", "ctc_loss"} <= {key for key, *_ in CALLS}


@pytest.mark.parametrize(("key", "function", "flag"), CALLS, ids=[f"{key}-{flag}" for key, _, flag in CALLS])
def test_a_flag_is_true_or_false(key, function, flag):
    for given in ("yes", 2.5, X):
        with pytest.raises(tg.ArgumentError, match=f"{flag} must be True"):
            call(key, function, **{flag: given})


# Where True or False means something that these arguments can't have.
REFUSED = {
    ("embedding", "sparse"), ("embedding_bag", "sparse"), ("instance_norm", "use_input_stats"), ("func.jvp", "strict"),
    ("cuda", "non_blocking"), ("grad", "only_inputs"), ("grad", "is_grads_batched"), ("functional_call", "strict"),
}  # fmt: skip


@pytest.mark.parametrize(("key", "function", "flag"), CALLS, ids=[f"{key}-{flag}" for key, _, flag in CALLS])
def test_a_flag_of_numpy_is_one_too(key, function, flag):
    for given in (np.False_, np.True_):
        try:
            call(key, function, **{flag: given})
        except tg.ArgumentError as error:
            assert (key, flag) in REFUSED and "must be True or False" not in str(error)
        except (TypeError, IndexError):
            assert flag == "has_aux"  # `square` returns nothing beside
