"""The house: imports run one way, starting up is light, the wheel holds one package."""

import ast
import importlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import import_graph

ROOT = Path(__file__).parent.parent

# Each room may import from the rooms before it, never from those behind it.
FLOORS = [
    {"errors", "system", "unknown_names"},
    {"windows", "arrays", "formulas", "amp", "backends", "cuda"},
    {"kernels"},
    {"autograd"},
    {"ops"},
    {"interop"},
    {"tensor"},
    {"creation", "distributed", "func", "linalg", "special", "storage", "transforms", "compiler"},
    {"nn", "viz", "onnx", "installation", "__main__"},
    {"distributions"},
    {"callbacks", "optim", "utils", "vision"},
    {"sklearn"},
    {"examples", "benchmarks", "tools"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# Rooms on one floor that may not see each other.
STRANGERS = {("viz", "nn"), ("nn", "viz")}


def room_of(path):
    relative = path.relative_to(ROOT)
    return relative.parts[1].removesuffix(".py") if relative.parts[0] == "tensorgrad" else relative.parts[0]


def modules():
    for folder in ("tensorgrad", "nn", "viz", "examples", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if room_of(path) != "__init__":
                yield path


def imported_rooms(path):
    """The rooms that a file imports at run time: what stands under `if TYPE_CHECKING` is for readers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module] if node.module != "tensorgrad" else [f"tensorgrad.{a.name}" for a in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            assert top not in ("nn", "viz"), f"{path} imports {name}: there is one import name for each thing"
            assert top != "torch" or room_of(path) == "tools", f"{path} imports {name}: it's for tests and tools only"
            if top == "tensorgrad" and rest:
                yield rest.split(".")[0]


@pytest.mark.cases("path", list(modules()), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    here = room_of(path)
    for there in imported_rooms(path):
        if there not in LEVEL or there == here:
            continue
        assert LEVEL[there] <= LEVEL[here], f"{path.relative_to(ROOT)} ({here}) imports {there}, which stands above it"
        assert (here, there) not in STRANGERS, f"{here} and {there} don't know each other"


def test_nothing_imports_in_a_circle():
    graph = import_graph.import_graph(ROOT)
    assert len(graph) > 200
    assert import_graph.cycles(graph) == []
    assert import_graph.cycles(import_graph.between_rooms(graph, ROOT)) == []


def test_a_circle_is_found(tmp_path):
    (tmp_path / "tensorgrad").mkdir()
    for name, other in ("ab", "bc", "ca", "da"):
        (tmp_path / "tensorgrad" / f"{name}.py").write_text(f"from tensorgrad import {other}\n")
    (circle,) = import_graph.cycles(import_graph.import_graph(tmp_path))
    assert set(circle) == {f"tensorgrad.{name}" for name in "abc"}


@pytest.mark.parametrize("folder", sorted({path.parent for path in modules()}), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_folder_is_read_at_a_glance(folder):
    most = 20 if folder.name == "examples" else 16  # an example is a program by itself
    assert len(list(folder.glob("*.py"))) <= most, "a folder holds about a dozen files; see docs/how-it-works.md"


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_is_light():
    code = "import tensorgrad, sys; print(*sorted(sys.modules))"
    loaded = {name.split(".")[0] for name in run(code).split()}
    assert not loaded & {"numba", "llvmlite", "matplotlib", "graphviz", "safetensors", "tqdm", "pooch", "h5py", "torch"}


# A first tensor, its operators and its gradient need none of these. The names are imported at their first use.
LATER = {
    "tensorgrad.callbacks", "tensorgrad.compiler", "tensorgrad.cuda", "tensorgrad.distributed",
    "tensorgrad.distributions", "tensorgrad.func",
    "tensorgrad.interop.arrays", "tensorgrad.interop.functions", "tensorgrad.interop.protocols",
    "tensorgrad.interop.ufuncs", "tensorgrad.linalg", "tensorgrad.nn", "tensorgrad.ops.sampling.generator",
    "tensorgrad.optim",
    "tensorgrad.special", "tensorgrad.storage", "tensorgrad.transforms", "tensorgrad.utils", "tensorgrad.vision",
    "tensorgrad.viz", "decimal", "fractions", "pathlib", "uuid",
}  # fmt: skip


@pytest.mark.parametrize(
    "use", ["pass", "tg.tensor([1.0, 2.0])", "(tg.tensor([1.0], requires_grad=True) * 2).backward()"]
)
def test_importing_loads_what_a_first_tensor_needs(use):
    loaded = run(f"import tensorgrad as tg, sys; {use}; print(*sys.modules)").split()
    assert "tensorgrad.tensor.tensor" in loaded
    assert not [name for name in loaded if any(f"{name}.".startswith(f"{module}.") for module in LATER)]


def names_for_type_checkers(path):
    """The names that a package imports under `if TYPE_CHECKING:`, each with where it comes from."""
    (block,) = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    for statement in block.body:
        for alias in statement.names:
            is_module = statement.module == "tensorgrad"
            yield alias.asname, f"{statement.module}.{alias.name}" if is_module else f"{statement.module}:{alias.name}"


@pytest.mark.parametrize("package", ["tensorgrad", "tensorgrad.autograd", "tensorgrad.interop"])
def test_names_are_imported_at_their_first_use_from_where_type_checkers_read_them(package):
    module = importlib.import_module(package)
    assert dict(names_for_type_checkers(Path(module.__file__))) == module._LAZY


def test_names_that_are_imported_at_their_first_use_are_listed():
    code = "import tensorgrad as tg; print(*({*tg._LAZY} - {*dir(tg)}), *({*tg._LAZY} - {*tg.__all__}))"
    assert run(code).split() == []
    assert {"Tensor", "conv2d", "float32", "tensor", "seed", "nn", "compile"} <= set(
        run("from tensorgrad import *; print(*dir())").split()
    )


def test_nn_and_viz_are_light_too():
    code = "import tensorgrad.nn, tensorgrad.viz, sys; print(*sorted(sys.modules))"
    loaded = {name.split(".")[0] for name in run(code).split()}
    assert not loaded & {"numba", "llvmlite", "matplotlib", "pooch", "h5py", "torch"}


def test_nothing_imports_torch_even_when_everything_is_used():
    code = (
        "import tensorgrad as tg, sys; x = tg.randn(2, 1, 8, 8, requires_grad=True);"
        "tg.conv2d(x, tg.randn(3, 1, 3, 3)).sum().backward(); tg.nn, tg.viz; print('torch' in sys.modules)"
    )
    assert run(code).strip() == "False"


def test_the_wheel_holds_one_top_level_package(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"  # a build leaves files behind
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv*", "build", "dist", "out", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    subprocess.run([*command, str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"tensorgrad"}
    assert {"tensorgrad/nn/data/datasets/optdigits.npz", "tensorgrad/py.typed", "tensorgrad/viz/__init__.py"} <= set(
        names
    )
    assert "tensorgrad/viz/plots/__init__.py" in names
    pages = [path for suffix in ("html", "css", "js") for path in (ROOT / "viz").rglob(f"*.{suffix}")]
    assert len(pages) > 20
    assert {f"tensorgrad/{path.relative_to(ROOT).as_posix()}" for path in pages} <= set(names)


# Where `._data` is read though no op and no named helper does it: labels in the text of an error, writing in place.
READERS = {
    ("assignment.py", "_check"),
    ("assignment.py", "_is_already_there"),
    ("assignment.py", "_result"),
    ("assignment.py", "_views"),
    ("assignment.py", "_whole_with"),
    ("assignment.py", "_write"),
    ("assignment.py", "assign"),
    ("assignment.py", "update"),
    ("indexing.py", "fitting"),
    ("indexing.py", "one_hot"),
    ("sequences.py", "_as_rows"),  # a length that a guard then holds
    ("targets.py", "class_indices"),
    ("normalization.py", "follow"),
    ("conversion.py", "_convert"),
    ("state.py", "match"),
    ("state.py", "_fitted"),
    ("filled.py", "ones_like"),
    ("protocols.py", "_read_only"),
}
LOOKS = {"shape", "dtype", "ndim", "size", "nbytes", "flags"}
HELPERS = {"host_call", "guard", "constant", "zeros_like", "ones_like"}
USE_A_HELPER = "hand the values to host_call, guard or constant of tensorgrad.autograd.engine; see docs/adding-an-op.md"


def value_readers(path):
    """The functions of a file in which the values of a tensor are read, unless an op or a named helper hears of it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr != "_data" or not isinstance(node.ctx, ast.Load):
            continue
        above = parents[node]
        if isinstance(above, ast.Attribute) and above.attr in LOOKS:
            continue
        if isinstance(above, ast.Call) and getattr(above.func, "id", getattr(above.func, "attr", "")) in HELPERS:
            continue
        while not isinstance(above, ast.FunctionDef):
            above = parents[above]
        yield path.name, above.name


def test_values_are_read_by_ops_or_by_named_helpers():
    files = [*(ROOT / "tensorgrad" / "ops").rglob("*.py")]
    folders = [ROOT / "nn" / name for name in ("", "layers", "losses", "training")]
    files += [path for folder in folders for path in folder.glob("*.py")]
    files += [path for name in ("creation", "interop") for path in (ROOT / "tensorgrad" / name).glob("*.py")]
    files.append(ROOT / "tensorgrad" / "transforms.py")
    found = {reader for path in files for reader in value_readers(path)}
    assert found <= READERS, f"a compiled function won't hear of {found - READERS}: {USE_A_HELPER}"


def test_a_reader_of_values_without_a_helper_is_found(tmp_path):
    source = """
def scale(x):
    return x * float(x._data.max())

def scaled(x):
    return x * wrap(host_call(np.max, x._data)) if guard(np.any, x._data) else x.reshape(x._data.shape)
"""
    (tmp_path / "scale.py").write_text(source)
    assert list(value_readers(tmp_path / "scale.py")) == [("scale.py", "scale")]
    assert all(helper in USE_A_HELPER for helper in ("host_call", "guard", "constant", "docs/adding-an-op.md"))
