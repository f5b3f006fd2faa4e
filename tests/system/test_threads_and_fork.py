"""Several threads that train at once, and a child process forked from one that trained: the same numbers as alone.

Each scenario runs in a process of its own, so that a crash or a hang would be seen as one.
"""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

TRAINING = """
import hashlib, os, sys, threading
import numpy as np
import tensorgrad as tg

def train(seed, steps=4):
    rng = np.random.default_rng(seed)
    make = lambda *shape: tg.Tensor((rng.standard_normal(shape) * 0.1).astype(np.float32), requires_grad=True)
    filters, bias, weight = make(16, 4, 3, 3), make(16), make(16 * 8 * 8, 10)
    images, labels = tg.Tensor(rng.standard_normal((32, 4, 16, 16)).astype(np.float32)), rng.integers(0, 10, 32)
    losses = []
    for _ in range(steps):
        h = tg.max_pool2d(tg.conv2d(images, filters, bias, padding=1).relu(), 2).flatten(1)
        loss = -tg.gather((h @ weight).log_softmax(1), 1, labels[:, None]).mean()
        loss.backward()
        with tg.no_grad():
            for p in (filters, bias, weight):
                p -= 0.01 * p.grad
                p.grad = None
        losses.append(loss.item())
    assert losses[-1] < losses[0], losses
    return hashlib.sha256(filters.data.tobytes() + weight.data.tobytes() + np.array(losses).tobytes()).hexdigest()
"""

THREADS = """
alone = [train(seed) for seed in range(8)]
together = [None] * 8
def work(seed):
    together[seed] = train(seed)
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
for t in threads: t.start()
for t in threads: t.join()
assert together == alone, (together, alone)
print("same")
"""

FORK = """
before = train(0)
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, train(0).encode())
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert os.read(read, 100).decode() == before
assert train(0) == before
print("same")
"""

FORK_WHILE_TRAINING = """
alone = train(1)
stop = threading.Event()
def keep_training():
    while not stop.is_set():
        train(0, steps=2)
thread = threading.Thread(target=keep_training)
thread.start()
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if train(1) == alone else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
stop.set()
thread.join()
print("same")
"""


def run(scenario, **environment):
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", TRAINING + scenario],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "same"


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_eight_threads_train_their_own_networks(layer):
    run(THREADS, NUMBA_THREADING_LAYER=layer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_a_forked_child_trains_as_its_parent_did(layer):
    run(FORK, NUMBA_THREADING_LAYER=layer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks_while_another_thread_trains():
    run(FORK_WHILE_TRAINING)


FORK_WHILE_DRAWING = """
import os, signal, threading
import tensorgrad as tg
stop = threading.Event()
def keep_drawing():
    while not stop.is_set():
        tg.rand(10000)
thread = threading.Thread(target=keep_drawing, daemon=True)
thread.start()
for _ in range(300):
    child = os.fork()
    if child == 0:
        signal.alarm(40)  # which ends the process
        tg.rand(3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks_while_another_thread_draws_random_numbers():
    run(FORK_WHILE_DRAWING)


FIRST_USE = """
import os, signal, sys, threading
import numpy as np
import tensorgrad as tg

class Announcer:
    # Is asked for each module before it is imported, and has none to give.
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            importing.set()

importing = threading.Event()
sys.meta_path.insert(0, Announcer())
x, indices = np.ones((1, 1, 2, 2), np.float32), np.zeros((1, 1, 1, 1), np.int32)
window = tg.windows.Window.halving((2, 2))
uses = {
    "tensorgrad.viz": lambda: tg.viz.graph,
    "tensorgrad.nn.module": lambda: tg.nn.Linear(1, 1),
    "numba": lambda: tg.kernels.pooling.gather(x, indices, window),
    "tensorgrad.kernels.pool.blocks": lambda: tg.kernels.pooling.gather(x, indices, window),
}
thread = threading.Thread(target=uses[sys.argv[1]], daemon=True)
thread.start()
importing.wait()
child = os.fork()
if child == 0:
    signal.alarm(40)  # which ends the process
    uses[sys.argv[1]]()
    os._exit(0)
thread.join()
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    "module", ["numba", "tensorgrad.kernels.pool.blocks", "tensorgrad.viz", "tensorgrad.nn.module"]
)
def test_a_fork_waits_until_no_thread_imports_at_first_use(module):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FIRST_USE, module]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_waits_for_us_before_it_locks_logging():
    """Who compiles logs, so a fork that held the lock of `logging` while it waits for the compiler would never end."""
    script = """
import logging, os, threading
from tensorgrad.system import forks
ours, held = threading.Lock(), threading.Event()
forks.wait_for(ours)
def work():
    with ours:
        held.set()
        for _ in range(20):
            logging.getLogger("a").debug("b")
            logging.Logger.manager._clear_cache()
thread = threading.Thread(target=work)
thread.start()
held.wait()
pid = os.fork()
if pid == 0:
    os._exit(0)
thread.join()
print(os.waitpid(pid, 0)[1])
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "0\n"


def test_threads_that_use_names_of_the_package_for_the_first_time():
    """`tensorgrad.optim` begins with `tensorgrad.nn.optim`, which `tensorgrad.nn` imports; so do others."""
    script = """
import sys, threading
sys.setswitchinterval(1e-6)
import tensorgrad as tg
NAMES = ["nn", "optim", "viz", "vision", "linalg", "special", "func", "utils"]
errors, start = [], threading.Barrier(16)
def work(k):
    start.wait()
    try:
        for name in NAMES[k % 8:] + NAMES[:k % 8]:
            getattr(tg, name)
    except BaseException as error:
        errors.append(repr(error))
threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
for t in threads: t.start()
for t in threads: t.join()
print(*errors or ["done"], sep=chr(10))
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "done\n"


def test_nobody_waits_for_a_fork_that_waits():
    """Who imports may need a lock that forks wait for, and who holds one may import."""
    script = """
import os, threading, types
from tensorgrad.system import forks
lock = threading.Lock()
forks.wait_for(lock)
def work():
    for k in range(300):
        with lock:
            forks.imported("json")
        forks._begin_import()
        with lock:
            pass
        forks._end_import()
thread = threading.Thread(target=work)
thread.start()
while thread.is_alive():
    pid = os.fork()
    if pid == 0:
        with lock:
            forks.imported("json")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
thread.join()
print("done")
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "done\n"
