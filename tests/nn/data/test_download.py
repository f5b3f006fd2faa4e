"""Downloads, from a server on this machine: mirrors that fail, bytes that are wrong, files that are half there."""

import gzip
import hashlib
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tensorgrad.nn.data import DataFileError, mnist
from tensorgrad.nn.data.datasets import mnist as mnist_files

pooch = pytest.importorskip("pooch", reason="downloads need the extra `data`")

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def packed(array):
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes(), mtime=0)


FILES = {
    IMAGES: packed(np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)),
    LABELS: packed(np.arange(6, dtype=np.uint8)),
}


class Mirrors(BaseHTTPRequestHandler):
    """/good has the files, /wrong other bytes, /half breaks off in the middle, /gone nothing."""

    def do_GET(self):
        _, mirror, name = self.path.split("/")
        self.server.requests.append((mirror, name))
        if mirror == "gone":
            return self.send_error(404)
        content = FILES[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write({"good": content, "wrong": content[::-1], "half": content[: len(content) // 2]}[mirror])
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch):
    for name, content in FILES.items():
        monkeypatch.setitem(mnist_files.CHECKSUMS, name.removesuffix(".gz"), hashlib.sha256(content).hexdigest())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirrors) as server:
        server.requests = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def urls(server, *names):
    return [f"{server.url}/{name}/" for name in names]


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("bad", ["gone", "wrong", "half"])
def test_the_next_mirror_is_tried(server, tmp_path, bad):
    dataset = mnist(tmp_path, mirrors=urls(server, bad, "good"))
    assert dataset.batch(range(6))[1].tolist() == list(range(6))
    assert server.requests == [(bad, IMAGES), ("good", IMAGES), (bad, LABELS), ("good", LABELS)]
    assert files_in(tmp_path) == FILES  # no temporary file is left behind


def test_a_downloaded_file_is_not_downloaded_again(server, tmp_path):
    mnist(tmp_path, mirrors=urls(server, "good"))
    mnist(tmp_path, mirrors=urls(server, "good"))
    mnist(tmp_path, download=False)
    assert len(server.requests) == 2


def test_only_missing_files_are_downloaded(server, tmp_path):
    (tmp_path / LABELS).write_bytes(FILES[LABELS])
    mnist(tmp_path, mirrors=urls(server, "good"))
    assert server.requests == [("good", IMAGES)]


@pytest.mark.parametrize("bad", ["gone", "wrong", "half"])
def test_every_mirror_failing_is_one_error_and_leaves_no_file(server, tmp_path, bad):
    with pytest.raises(DataFileError) as caught:
        mnist(tmp_path, mirrors=urls(server, bad, bad))
    message = str(caught.value)
    assert message.startswith(f"mnist: {IMAGES} could not be downloaded from any mirror")
    assert message.count(f"\n    {server.url}/{bad}/{IMAGES}\n") == 2
    assert {"gone": "404", "wrong": "does not match", "half": "IncompleteRead"}[bad] in message
    assert f"put it into {tmp_path}" in message and "TENSORGRAD_DATA" in message
    assert mnist_files.CHECKSUMS[IMAGES.removesuffix(".gz")] in message
    assert files_in(tmp_path) == {}


def test_offline(tmp_path):
    with socket.socket() as closed:  # bound but not listening: a connection is refused at once
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/mnist"
        with pytest.raises(DataFileError, match=rf"{url}/{IMAGES}\n +ConnectionError"):
            mnist(tmp_path, mirrors=[url])
    with pytest.raises(DataFileError, match="no mirror was given"):
        mnist(tmp_path, mirrors=[])


def test_into_the_cache_folder(server, tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    assert len(mnist(mirrors=urls(server, "good"))) == 6
    assert files_in(tmp_path / "tensorgrad" / "mnist") == FILES
    assert len(mnist(download=False)) == 6


def test_into_the_folder_of_the_variable(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path / "data"))
    assert len(mnist(mirrors=urls(server, "good"))) == 6
    assert files_in(tmp_path / "data" / "mnist") == FILES


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataFileError, match="could not be downloaded from any mirror"):
        mnist(tmp_path / "file" / "mnist", mirrors=urls(server, "good"))


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_bar_on_a_terminal_only(server, tmp_path, monkeypatch, capsys, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    mnist(tmp_path, mirrors=urls(server, "good"))
    assert ("100%|" in capsys.readouterr().err) == terminal


def test_default_mirrors_and_checksums_are_well_formed():
    assert len(mnist_files.MIRRORS) >= 3 and all(url.startswith("https://") for url in mnist_files.MIRRORS)
    assert len(mnist_files.CHECKSUMS) == 4
    assert all(len(bytes.fromhex(digest)) == 32 for digest in mnist_files.CHECKSUMS.values())
