"""Tensors in files: bits, layouts, dtypes, files that are never half written, and PyTorch's reader and writer."""

import io
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import storage
from tensorgrad.errors import ArgumentError, DTypeError
from tensorgrad.storage import StorageError, load, load_metadata, save

DTYPES = ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint64", "bool"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tensors.safetensors"


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_bit_comes_back(path, dtype):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 2 if dtype == "bool" else 100, (3, 4)).astype(dtype)
    save({"a": array, "scalar": array[0, 0], "empty": array[:0]}, path)
    loaded = load(path)
    assert set(loaded) == {"a", "empty", "scalar"}
    assert loaded["a"].dtype == dtype and np.array_equal(loaded["a"].data, array)
    assert loaded["scalar"].shape == () and loaded["empty"].shape == (0, 4)


def test_file_objects(path):
    array = np.random.default_rng(1).standard_normal((3, 2))
    checkpoint = {"epoch": 3, "model": {"w": tg.tensor(array)}}
    for tensors in ({"w": array}, checkpoint):
        buffer = io.BytesIO()
        save(tensors, buffer)
        save(tensors, path)
        assert buffer.getvalue() == path.read_bytes()
        buffer.seek(0)
        with open(path, "rb") as file:
            for found in (load(buffer), load(file)):
                assert found.keys() == tensors.keys()
                assert np.array_equal((found["model"]["w"] if "epoch" in found else found["w"]).data, array)
    with pytest.raises(DTypeError, match=r'open\(path, "wb"\)'):
        save({"w": array}, io.StringIO())
    with pytest.raises(DTypeError, match=r'open\(path, "rb"\)'):
        load(io.StringIO("text"))
    with pytest.raises(StorageError, match="complete safetensors file"):
        load(io.BytesIO(b"nothing"))


def test_nan_infinities_and_negative_zero(path):
    array = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324])
    save({"a": array}, path)
    assert load(path)["a"].data.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[::-1, ::2],
        lambda a: np.asfortranarray(a),
        lambda a: np.broadcast_to(a[0], a.shape),
        lambda a: a.astype(">f8"),
    ],
    ids=["transposed", "strided", "fortran", "broadcast", "big-endian"],
)
def test_any_memory_layout(path, view):
    array = view(np.random.default_rng(1).standard_normal((4, 6)))
    save({"a": array, "t": tg.Tensor(array)}, path)
    loaded = load(path)
    assert np.array_equal(loaded["a"].data, array) and np.array_equal(loaded["t"].data, array)


def test_loaded_tensors_are_ones_own(path):
    save({"a": np.zeros(3)}, path)
    first = load(path)["a"]
    first[0] = 7
    assert load(path)["a"].tolist() == [0, 0, 0]


def test_tensors_that_require_grad_and_parts_of_graphs(path):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    save({"w": w, "z": w * 2}, path)
    assert load(path)["z"].tolist() == [2, 4] and not load(path)["w"].requires_grad


def test_metadata(path):
    save({"a": np.zeros(1)}, path, {"made by": "tensorgrad", "π": "3.14\n"})
    assert load_metadata(path) == {"made by": "tensorgrad", "π": "3.14\n"}
    save({}, path)
    assert load(path) == {} and load_metadata(path) == {}


def test_a_link_is_followed(path, tmp_path):
    link = tmp_path / "link"
    save({"a": np.zeros(1)}, path)
    link.symlink_to(path)
    save({"a": np.ones(1)}, link)
    assert link.is_symlink() and load(path)["a"].item() == 1


def test_the_file_has_the_usual_permissions(path, tmp_path):
    (tmp_path / "other").write_bytes(b"")
    save({"a": np.zeros(1)}, path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


# ------------------------------------------------------------------------------------------------------- crash safety


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(path, tmp_path, monkeypatch, fails):
    save({"a": np.zeros(3)}, path)

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, full_disk)
    with pytest.raises(StorageError, match="No space left"):
        save({"a": np.ones(3)}, path)
    monkeypatch.undo()
    assert load(path)["a"].tolist() == [0, 0, 0] and os.listdir(tmp_path) == [path.name]


def killed(path):
    """A child process is killed while it saves a thousand ones."""
    child = os.fork()
    if child == 0:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        try:
            save({"a": np.ones(1000)}, path)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_killed_process_leaves_the_old_file(path):
    save({"a": np.zeros(1000)}, path)
    killed(path)
    assert not load(path)["a"].data.any()


# -------------------------------------------------------------------------------------------------------- checkpoints


def same_nest(a, b):
    if isinstance(b, np.ndarray | tg.Tensor):
        return isinstance(a, tg.Tensor) and a.dtype == b.dtype and np.array_equal(a.data, np.asarray(b))
    if isinstance(b, dict):
        return type(a) is dict and list(a) == list(b) and all(same_nest(a[key], b[key]) for key in b)
    if isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same_nest, a, b))
    return type(a) is type(b) and (a == b or a != a)


def test_a_checkpoint_comes_back_as_it_was(path):
    x = np.random.default_rng(0).standard_normal((2, 3))
    nest = {
        "epoch": 3, "best": float("nan"), "done": False, "note": None, "name": "π",
        "model": {"fc.weight": tg.tensor(x), "fc": {"weight": x.astype("float32")}},
        "history": [1.5, (2, [x[0], ()])], "by number": {1: x, "1": x + 1}, "empty": {},
    }  # fmt: skip
    for value in (nest, [nest, 3], (tg.tensor(x),), tg.tensor(x), {0: x}):
        save(value, path, {"made by": "tensorgrad"})
        assert same_nest(load(path, map_location="cpu", weights_only=True), value)
        assert load_metadata(path)["made by"] == "tensorgrad"


def test_training_goes_on_from_a_checkpoint(path):
    def parts():
        tg.manual_seed(0)
        model = tg.nn.Linear(3, 2)
        optimizer = tg.optim.Adam(model.parameters(), lr=0.1)
        return model, optimizer, tg.optim.lr_scheduler.StepLR(optimizer, 2)

    def train(model, optimizer, scheduler, steps):
        for k in range(steps):
            optimizer.zero_grad()
            model(tg.ones(4, 3) * k).square().sum().backward()
            optimizer.step()
            scheduler.step()
        return model.weight.numpy()

    expected = parts()
    train(*expected, 3)
    saved = parts()
    train(*saved, 3)
    save({name: part.state_dict() for name, part in zip(("model", "optimizer", "scheduler"), saved, strict=True)}, path)
    loaded, found = parts(), load(path, map_location=lambda storage, location: storage)
    for name, part in zip(("model", "optimizer", "scheduler"), loaded, strict=True):
        part.load_state_dict(found[name])
    assert train(*loaded, 3).tobytes() == train(*expected, 3).tobytes()


@pytest.mark.parametrize("text", ["", "{", '{"a": "x"}', '{"d": 3}', '{"a": ["w"]}', '{"q": []}', "[1]", "[" * 100_000])
def test_a_damaged_nesting_is_a_storage_error(path, text):
    save({"w": np.zeros(1)}, path, {storage.NESTING: text})
    with pytest.raises(StorageError):
        load(path)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "words"),
    [
        (3, None, DTypeError, "by name"),
        ({(1, 2): np.zeros(1)}, None, DTypeError, "it is a dict"),
        ({"models": [{"net": object()}]}, None, DTypeError, "models.0.net can't be stored: it is a object"),
        ([np.zeros(1, complex)], None, DTypeError, "complex128"),
        ({"a": np.zeros(1, complex)}, None, DTypeError, "complex128"),
        ({"__metadata__": np.zeros(1)}, None, ArgumentError, "reserves"),
        ({"a": np.zeros(1)}, {"epoch": 3}, DTypeError, "metadata"),
    ],
)
def test_what_cannot_be_saved(path, tensors, metadata, error, words):
    with pytest.raises(error, match=words):
        save(tensors, path, metadata)
    assert not path.exists()


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(StorageError, match="create the folder"):
        save({"a": np.zeros(1)}, tmp_path / "no" / "file")


def test_files_that_cannot_be_loaded(path, tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        load(path)
    with pytest.raises(StorageError):
        load(tmp_path)
    save({"a": np.arange(100)}, path)
    whole = path.read_bytes()
    for length in (0, 4, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        for read in (load, load_metadata):
            with pytest.raises(StorageError, match="isn't a complete safetensors file"):
                read(path)


# ------------------------------------------------------------------------------------------------------------ PyTorch


@pytest.mark.oracle
def test_pytorch_reads_and_writes_the_same_files(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    array = np.random.default_rng(2).standard_normal((3, 5)).astype(np.float32)
    save({"weight": tg.Tensor(array.T), "steps": np.int64(7)}, path)
    theirs = load_file(path)
    assert np.array_equal(theirs["weight"].numpy(), array.T) and theirs["steps"].item() == 7
    save_file({"weight": torch.tensor(array) * 2}, path, metadata={"format": "pt"})
    assert np.array_equal(load(path)["weight"].data, array * 2) and load_metadata(path) == {"format": "pt"}
    save_file({"weight": torch.zeros(3, dtype=torch.bfloat16)}, path)
    with pytest.raises(StorageError, match="NumPy lacks the dtype BF16 of weight"):
        load(path)


# ----------------------------------------------------------------------------------------------- what isn't safetensors


def zipped(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"content")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [zipped("model/data.pkl"), zipped("archive/data.pkl"), pickle.dumps({"w": 1}, 2), pickle.dumps({"w": 1}, 4)],
    ids=["zip", "older zip", "pickle 2", "pickle 4"],
)
def test_a_pickle_of_pytorch_is_recognized_and_its_conversion_shown(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="reading a pickle can run any program") as caught:
        load(path)
    assert f"torch.load({str(path)!r}, map_location=" in str(caught.value)
    assert f"save_file({{k: v.clone() for k, v in state.items()}}, {str(tmp_path / 'model.safetensors')!r})" in str(
        caught.value
    )


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_the_conversion_that_is_shown_works(tmp_path, options):
    torch = pytest.importorskip("torch")
    weights = {"w": torch.arange(6.0).reshape(2, 3), "tied": torch.ones(2)}
    weights["also"] = weights["tied"]  # safetensors stores no memory twice
    torch.save(weights, tmp_path / "model.pt", **options)
    with pytest.raises(StorageError) as caught:
        load(tmp_path / "model.pt")
    program = [line.strip() for line in str(caught.value).splitlines() if line.startswith("    ")]
    exec("\n".join(line for line in program if not line.startswith("(")), {})
    loaded = load(tmp_path / "model.safetensors")
    assert loaded["w"].tolist() == [[0, 1, 2], [3, 4, 5]] and loaded["also"].tolist() == [1, 1]


def test_other_formats_are_recognized(path):
    np.savez(path.with_suffix(".npz"), a=np.zeros(2))
    with pytest.raises(StorageError, match=r"NumPy's \.npz(.|\n)*np\.load"):
        load(path.with_suffix(".npz"))
    np.save(path.with_suffix(".npy"), np.zeros(2))
    with pytest.raises(StorageError, match=r"NumPy's \.npy(.|\n)*numpy\.load"):
        load(path.with_suffix(".npy"))
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    with pytest.raises(StorageError, match=r"HDF5(.|\n)*h5py"):
        load(path)


@pytest.mark.parametrize(("dtype", "width"), [("BF16", 2), ("F8_E4M3", 1)])
def test_dtypes_that_numpy_lacks(path, dtype, width):
    header = json.dumps({"weight": {"dtype": dtype, "shape": [3], "data_offsets": [0, 3 * width]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(3 * width))
    with pytest.raises(StorageError, match=rf"NumPy lacks the dtype {dtype} of weight(.|\n)*such as float32"):
        load(path)


def test_bools_that_are_neither(path):
    save({"mask": np.array([True, False])}, path)
    content = bytearray(path.read_bytes())
    assert content[-2:] == b"\1\0"
    content[-1] = 7
    path.write_bytes(bytes(content))
    with pytest.raises(StorageError, match="mask must hold bools"):
        load(path)


def test_an_error_names_the_whole_path(tmp_path):
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    with pytest.raises(StorageError) as caught:
        load(folder / "none.safetensors")
    assert str(folder / "none.safetensors") in str(caught.value)


# ------------------------------------------------------------------------------------------------------- dead processes


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with their process")
@pytest.mark.parametrize("name", ["tensors.safetensors", "ä" * 100 + ".x", "[a]*?.st"])
def test_what_a_killed_process_left_is_swept_by_the_next_save(tmp_path, name):
    path = tmp_path / name
    save({"a": np.zeros(3)}, path)
    killed(path)
    killed(path)  # sweeps, and leaves its own
    assert len(os.listdir(tmp_path)) == 2
    others = [tmp_path / f".{name}.zzz", tmp_path / ".hidden"]
    for other in others:
        other.write_bytes(b"somebody's")
    save({"a": np.full(3, 2.0)}, path)
    assert {*os.listdir(tmp_path)} == {name, *(other.name for other in others)}
    assert load(path)["a"].tolist() == [2, 2, 2]


LIVING = """
import os, sys, numpy as np
from tensorgrad import storage
fsync = os.fsync
def wait(file):
    print("writing", flush=True)
    sys.stdin.readline()
    fsync(file)
os.fsync = wait
storage.save({"a": np.ones(3)}, sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with their process")
def test_what_a_living_process_writes_is_left_alone(tmp_path, path):
    command = [sys.executable, "-c", LIVING, str(path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "writing\n"
    for _ in range(3):
        save({"a": np.zeros(3)}, path)
    assert len(os.listdir(tmp_path)) == 2 and load(path)["a"].tolist() == [0, 0, 0]
    other.communicate("\n")
    assert other.returncode == 0 and os.listdir(tmp_path) == [path.name] and load(path)["a"].tolist() == [1, 1, 1]


def test_where_there_are_no_locks_nothing_is_swept(tmp_path, path, monkeypatch):
    for without in (None, SimpleNamespace(LOCK_EX=1, LOCK_NB=2, flock=refused)):
        monkeypatch.setattr(storage, "fcntl", without)
        (tmp_path / (storage._temporary_prefix(path) + "00000000")).write_bytes(b"dead")
        save({"a": np.zeros(3)}, path)
        assert len(os.listdir(tmp_path)) == 2 and load(path)["a"].tolist() == [0, 0, 0]


def refused(*_):
    raise OSError(38, "Function not implemented")
