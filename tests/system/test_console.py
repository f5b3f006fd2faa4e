"""What is printed, on streams that can't say Unicode, are closed, or don't exist."""

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import ImageReport
from tensorgrad.system import console
from tensorgrad.system.console import is_terminal, printable, say

# Prints all that the package has to be printed.
EVERYTHING = """
import numpy as np, tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import ImageReport

class Größe(nn.Linear):
    pass

tg.manual_seed(0)
a, b = tg.tensor(0.5, requires_grad=True), tg.tensor(-3.0, requires_grad=True, name="β")
loss = (a * b + a).sigmoid().sqrt()
print(tg.viz.text(loss, width=70))
print(tg.viz.explain(loss, wrt=b))
print(repr(tg.viz.explain(loss, wrt=b)), b)
net = nn.Sequential(Größe(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
print(nn.summary(net, (2, 4)))
x, y = tg.randn(6, 4), tg.tensor([0, 1, 2, 0, 1, 2])
sgd = nn.optim.SGD(net.parameters(), 0.1)
for progress in (True, "bar"):
    score = {"σ of 日本": lambda output, target: 1.0}
    print(nn.fit(net, [(x, y)], loss=nn.cross_entropy, optimizer=sgd, epochs=1, metrics=score, progress=progress))
print(net, sgd, ImageReport("φ", 1, broken=("\\udcff.png: ½",)))
step = nn.cross_entropy(net(x), y)
print(tg.viz.text(step, width=44))
print(tg.viz.explain(step, wrt=net[0].weight))
try:
    nn.Dropout(3.0)
except tg.TensorgradError as error:
    print(error)
print(tg.ShapeError("∂ − ≥ ×"))
"""


# What a program may do to its streams before it prints; the encodings are those of PYTHONIOENCODING.
ENCODINGS = ["ascii", "cp1252", "latin-1", "cp437", "koi8-r", "utf-8"]
NO_STREAMS = ["sys.stderr = None", "sys.stdout = None", "sys.stdout = sys.stderr = None"]
ODD_STREAMS = ["sys.stdout.close(); sys.stderr.close()", "os.close(1); os.close(2)", "sys.stderr = object()"]
ALL_PRINT_EVERYTHING = [*(f"sys.stdout.reconfigure(encoding={name!r})" for name in ENCODINGS), *NO_STREAMS]

# What such a program prints itself isn't our business, so it tells by a file that it came to its end.
A_TRAINING = """
net = nn.Linear(2, 1)
sgd = nn.optim.SGD(net.parameters(), 0.1)
for progress in (True, "bar"):
    nn.fit(net, [(tg.ones(3, 2), tg.ones(3, 1))], loss=nn.mse_loss, optimizer=sgd, epochs=2, progress=progress)
"""

# Each program is a child of one process that has imported the package, and prints to a file.
PROGRAMS = """
import contextlib, json, os, sys, traceback
import numpy as np, tensorgrad as tg
from tensorgrad import nn
nn.fit, nn.optim, tg.viz.text  # whose modules come at first use
for name, code in json.load(sys.stdin).items():
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(f"{name}.{stream}", os.O_CREAT | os.O_WRONLY), stream)
        try:
            exec(code, {"os": os, "sys": sys, "np": np, "tg": tg, "nn": nn})
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, type(sys.__stdout__)) and not stream.closed:
                    with contextlib.suppress(OSError):  # of a file that the program has closed
                        stream.flush()
            open(f"{name}.done", "w").close()
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            sys.__stderr__.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The folder with what each program wrote: `name.1`, `name.2`, and `name.done` if it came to its end."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    folder = tmp_path_factory.mktemp("programs")
    codes = {streams: f"{streams}\n{EVERYTHING}" for streams in ALL_PRINT_EVERYTHING}
    codes |= {streams: f"{streams}\n{A_TRAINING}" for streams in ODD_STREAMS}
    names = {streams: str(k) for k, streams in enumerate(codes)}
    given = json.dumps({names[streams]: code for streams, code in codes.items()})
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", PROGRAMS]
    subprocess.run(command, input=given.encode(), cwd=folder, env=environment, check=True, timeout=300)
    return lambda streams, ending: folder / f"{names[streams]}.{ending}"


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_everything_can_be_printed_to_any_encoding(encoding, programs):
    streams = f"sys.stdout.reconfigure(encoding={encoding!r})"
    assert programs(streams, "done").exists(), programs(streams, "2").read_bytes().decode()
    said = programs(streams, "1").read_bytes().decode(encoding)
    for word in ("The chain rule for", "Parameters:  83", "epoch 1/1: loss", "History(", "1 images read"):
        assert word in said
    assert ("∂L/∂" in said) == (encoding == "utf-8") and ("dL/d" in said) == (encoding != "utf-8")


@pytest.mark.parametrize("streams", NO_STREAMS)
def test_without_streams_everything_runs(streams, programs):
    assert programs(streams, "done").exists(), programs(streams, "2").read_bytes().decode()
    assert (b"epoch 1/1" in programs(streams, "1").read_bytes()) == ("stdout" not in streams)


@pytest.mark.parametrize("streams", ODD_STREAMS)
def test_closed_and_odd_streams_do_not_stop_a_training(streams, programs):
    assert programs(streams, "done").exists()


# ------------------------------------------------------------------------------------------------------------- spelling


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("∂L/∂w₁₂ = x⁻¹ · aᵀ", "dL/dw12 = x^-1 * a^T"),
        ("α, β, Σ, σ, ε, Φ", "alpha, beta, sum, sigma, epsilon, Phi"),
        ("│ ├─┤ └─┘ ○ ✓ ✗ …", "| +-+ +-+ o ok x ..."),
        ("é ŷ ½ − ≤ → ‖x‖ ⟨a⟩", "e y 1/2 - <= -> ||x|| <a>"),
        ("日\udcff", "\\u65e5\\udcff"),
        ("plain ASCII\n\t", "plain ASCII\n\t"),
    ],
)
def test_what_ascii_says(text, spelled):
    assert printable(text, stream("ascii")) == spelled
    assert printable(text, SimpleNamespace(encoding="no such encoding")) in (spelled, text if text.isascii() else "")


def test_only_what_cannot_be_said_is_spelled():
    assert printable("2 × ² · ∂", stream("cp1252")) == "2 × ² · d"
    assert printable("∂", SimpleNamespace(encoding=None)) == "∂"  # a StringIO can hold anything
    assert printable("∂", object()) == "∂"


def test_every_character_of_the_basic_plane_has_a_spelling():
    ascii_only = stream("ascii")
    for start in range(0, 0x10000, 0x100):
        text = "".join(map(chr, range(start, start + 0x100)))
        assert printable(text, ascii_only).isascii()


def test_columns_stay_below_one_another(monkeypatch):
    """Spelled before it is laid out: "sigma" is wider than "σ", and nothing runs beyond the terminal."""
    x = tg.tensor(0.5, requires_grad=True, name="σσσ")
    loss = (x.sigmoid() * 2).tanh() + x
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    wide = nn.summary(net, (1, 2))
    monkeypatch.setattr(sys, "stdout", stream("ascii"))
    drawn, table = tg.viz.text(loss, width=120), repr(wide)
    explained = tg.viz.explain(loss, wrt=x).text(60)
    monkeypatch.undo()
    assert drawn.isascii() and explained.isascii() and table.isascii()
    assert max(map(len, drawn.splitlines())) <= 120 and max(map(len, explained.splitlines())) <= 60
    head, *lines = drawn.splitlines()
    gradients = {line.index("dloss/d") for line in lines if "dloss/d" in line}
    assert gradients == {head.index("gradient ^")}


def test_a_terminal_is_one_that_says_so():
    class Broken:
        def isatty(self):
            raise ValueError("I/O operation on closed file")

    assert not any(map(is_terminal, (None, object(), Broken(), io.StringIO())))
    assert is_terminal(SimpleNamespace(isatty=lambda: True))


def test_nobody_hears_it(monkeypatch):
    class Full:
        encoding = "ascii"

        def write(self, text):
            raise OSError(28, "No space left on device")

    closed, heard = stream("ascii"), io.StringIO()
    closed.close()
    for output in (Full(), closed, None, heard):
        monkeypatch.setattr(sys, "stderr", output)
        say("∂", error=True)
    assert heard.getvalue() == "∂\n"


def test_a_bar_on_a_terminal_only(monkeypatch, capsys):
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        assert list(console.with_bar(range(3), "counting")) == [0, 1, 2]
        assert ("counting" in capsys.readouterr().err) == terminal
    monkeypatch.setattr(sys, "stderr", None)
    assert list(console.with_bar([1], "counting")) == [1]


def test_names_of_files_that_are_no_text():
    report = ImageReport("x", 1, broken=(os.fsdecode(b"\xff.png") + ": truncated",))
    assert np.all([ord(c) < 128 for c in printable(str(report), stream("ascii"))])
