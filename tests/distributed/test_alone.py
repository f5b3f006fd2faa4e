"""A process by itself is a world of one: everything works, without MPI, and refuses what it refuses with others."""

import copy
import importlib.util
import os
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import distributed as dist, nn
from tensorgrad.distributed import world as worlds
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.nn.data import DataLoader, TensorDataset
from tensorgrad.nn.parallel import DistributedDataParallel
from tensorgrad.nn.parallel.weights import count, weighted

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def timeout():
    before = worlds.timeout()
    yield
    worlds.set_timeout(before)


def test_a_world_of_one():
    dist.init_process_group("gloo", timeout=timedelta(minutes=1), world_size=1, rank=0)
    assert (dist.get_rank(), dist.get_world_size(), dist.is_initialized()) == (0, 1, False)
    assert worlds.timeout() == 60
    x = tg.tensor([1.0, 2.0])
    for op in dist.ReduceOp:
        dist.all_reduce(x, op)
    dist.broadcast(x)
    dist.barrier()
    assert x.tolist() == [1, 2]
    found, objects = [np.zeros(2)], [None]
    dist.all_gather(found, np.ones(2))
    dist.all_gather_object(objects, {"a": 1})
    assert found[0].tolist() == [1, 1] and objects == [{"a": 1}]
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: dist.init_process_group(timeout=0), ArgumentError, "timeout must be a number of seconds > 0, got 0"),
        (lambda: dist.init_process_group(world_size=2), ArgumentError, "world_size is 1 here, got 2"),
        (lambda: dist.init_process_group(rank=1), ArgumentError, "rank is 0 here, got 1"),
        (lambda: dist.all_reduce([1.0]), DTypeError, "expected a Tensor or ndarray"),
        (lambda: dist.all_reduce(tg.ones(2), "mean"), ArgumentError, "op must be one of sum, avg"),
        (lambda: dist.all_reduce(tg.tensor([True])), DTypeError, "must hold ints or floats, got bool"),
        (lambda: dist.all_reduce(tg.tensor([1]), "avg"), ArgumentError, "an average is of floats"),
        (lambda: dist.broadcast(tg.ones(2), 1), ArgumentError, r"src must be a rank in \[0, 1\), got 1"),
        (lambda: dist.all_reduce(np.broadcast_to(1.0, 3)), DTypeError, "read-only"),
        (lambda: dist.broadcast(np.broadcast_to(1.0, 3)), DTypeError, "read-only"),
        (lambda: dist.all_gather([np.broadcast_to(1.0, 3)], np.ones(3)), DTypeError, "read-only"),
        (lambda: dist.broadcast_object_list("ab"), DTypeError, "must be a list"),
        (lambda: dist.all_gather_object((None,), 1), DTypeError, "must be a list"),
        (lambda: dist.all_gather([], tg.ones(2)), ShapeError, "one tensor per rank, 1, got 0"),
        (lambda: dist.all_gather([tg.ones(3)], tg.ones(2)), ShapeError, "shape and dtype of tensor"),
        (lambda: dist.all_gather_object([], 1), ShapeError, "one place per rank"),
        (lambda: DistributedDataParallel(tg.ones(2)), DTypeError, "expected a Module, got Tensor"),
        (lambda: nn.SyncBatchNorm.convert_sync_batchnorm(3), DTypeError, "expected a Module, got int"),
        (lambda: dist.gather, AttributeError, "did you mean 'all_gather'"),
    ],
)
def test_misuses(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(
    ("environment", "several"),
    [
        ({}, False),
        ({"PMI_SIZE": "1"}, False),
        ({"PMI_SIZE": "4", "PMI_RANK": "2"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
        ({"PMIX_RANK": "0"}, True),
    ],
)
def test_the_launcher_is_found_in_the_environment(monkeypatch, environment, several):
    for name in ("PMI_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert worlds.was_started_by_mpi() == several


def test_without_mpi4py_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['mpi4py'] = None; import tensorgrad as tg; print(tg.distributed.get_rank())"
    for environment, expected in (({}, "0\n"), ({"PMI_SIZE": "2"}, "pip install 'tensorgrad-engine[mpi]'")):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment
        )
        assert expected in done.stdout + done.stderr


def test_an_mpi_that_cannot_be_loaded_matters_to_several_processes_alone(tmp_path):
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("class rc: pass")
    (tmp_path / "mpi4py" / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')")
    code = "import tensorgrad as tg; tg.distributed.init_process_group(); print(tg.distributed.get_world_size())"
    for environment, expected in (({}, "1\n"), ({"PMI_SIZE": "2"}, "its MPI: cannot load MPI library\n  fix: pip")):
        environment = os.environ | {"PYTHONPATH": str(tmp_path)} | environment
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert expected in done.stdout + done.stderr


def test_nothing_imports_mpi4py_before_it_is_needed():
    code = (
        "import tensorgrad as tg, sys;"
        "tg.nn.DistributedDataParallel(tg.nn.Linear(2, 1))(tg.ones(1, 2)).sum().backward();"
        "print(tg.distributed.get_rank(), 'mpi4py' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "0 False\n"


def test_a_model_by_itself_is_the_model():
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    model, twin = DistributedDataParallel(net), copy.deepcopy(net)
    x = tg.tensor(RNG.normal(size=(4, 3)), dtype="float32")
    upstream = tg.tensor(RNG.normal(size=(4, 2)), dtype="float32")
    with model.no_sync():
        (model(x) * upstream).sum().backward()
    (twin(x) * upstream).sum().backward()
    assert all((p.grad == q.grad).all() for p, q in zip(model.parameters(), twin.parameters(), strict=True))
    assert list(model.state_dict()) == [f"module.{name}" for name in twin.state_dict()]
    assert not any(hasattr(p, "_after_backward") for p in model.parameters())
    model.sync_buffers()


def test_converted_layers_keep_parameters_buffers_and_settings():
    norms = nn.BatchNorm1d(3, eps=1e-3, momentum=None), nn.BatchNorm2d(2, affine=False, track_running_stats=False)
    net = nn.Sequential(norms[0], nn.Sequential(norms[1].eval(), nn.SyncBatchNorm(1)))
    before = dict(net.named_parameters()) | dict(net.named_buffers())
    kept = net[1][1]
    assert nn.SyncBatchNorm.convert_sync_batchnorm(net) is net
    assert dict(net.named_parameters()) | dict(net.named_buffers()) == before
    assert [type(m).__name__ for m in (net[0], *net[1])] == ["SyncBatchNorm"] * 3 and net[1][1] is kept
    assert (net[0].eps, net[0].momentum, net[0].training, net[1][0].training) == (1e-3, None, True, False)
    assert net[1][0].weight is None and net[1][0].running_mean is None
    alone = nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm2d(3))
    x = tg.tensor(RNG.normal(size=(4, 3, 2, 2)), dtype="float32")
    assert (alone(x) == nn.BatchNorm2d(3)(x)).all()


def test_the_share_weights_gradients_alone():
    x = tg.tensor(RNG.normal(size=(2, 3)), requires_grad=True)
    upstream = tg.tensor(RNG.normal(size=(2, 3)))
    pair, rest = weighted(
        (x * 2, {"a": [x * 3], "b": "text"}), lambda dtypes: [np.array(0.25, dtype) for dtype in dtypes]
    )
    assert (pair == x * 2).all() and rest["b"] == "text"
    ((pair + rest["a"][0]) * upstream).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 5 * 0.25 * upstream.numpy(), rtol=1e-12)
    with pytest.raises(DTypeError, match="forward returned object"):
        weighted(object(), lambda dtypes: ())


def test_samples_are_counted_in_the_first_input():
    assert count(((), {"x": [tg.ones(3, 2)]}), 0) == 3 and count(((np.ones((3, 2)), 1), {}), 1) == 2
    with pytest.raises(ShapeError, match="no axis dim = 2"):
        count(((tg.ones(3, 2),), {}), 2)
    for dim in ("x", 1.5, True):
        with pytest.raises(tg.ArgumentError, match="dim must be an int or None"):
            nn.DistributedDataParallel(nn.Linear(2, 1), dim=dim)
    with pytest.raises(ShapeError, match="no tensor or array"):
        count(((1,), {}), 0)


def test_fit_tells_the_sampler_of_each_epoch():
    data = TensorDataset(RNG.normal(size=(4, 2)).astype("float32"), np.ones((4, 1), np.float32))
    sampler = nn.data.DistributedSampler(data, seed=3)
    orders = []
    model = nn.Linear(2, 1)
    sgd = nn.optim.SGD(model.parameters(), lr=0.0)
    options = {"loss": nn.mse_loss, "optimizer": sgd, "progress": False}
    nn.fit(
        model, DataLoader(data, 4, sampler=sampler), epochs=3, **options,
        on_epoch_end=lambda record: orders.append(list(sampler)),
    )  # fmt: skip
    assert orders == [np.random.default_rng((3, epoch)).permutation(4).tolist() for epoch in range(3)]


@pytest.mark.skipif(importlib.util.find_spec("mpi4py") is not None, reason="mpi4py is installed")
def test_it_is_not_available_without_mpi4py():
    assert not dist.is_available()
