"""Files that are damaged or built to deceive, for tests of readers, and bounds for the readers' memory and time."""

import contextlib
import copy
import math
import signal
import tracemalloc

import numpy as np
from whole_files import WHOLE

MOST_MEMORY = 64 << 20  # bytes that Python and NumPy may take for a small file
MOST_SECONDS = 30  # a guard against reading for ever
INTEGERS = [0, 1, 2, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
VALUES = [None, True, False, -1, 0, 7, 2**70, -(2**70), 0.5, math.inf, math.nan, "", "text", [], {}, [[1], 2], [None]]


VALUES += [{"$array": "nowhere"}, {"$array": "model/0.weight"}, {"$array": []}, "9" * 5000, {"a": {"b": []}}, -0.0]


def integer(rng):
    """A number that a header may lie with, in some width and order."""
    width = int(rng.choice([1, 2, 4, 8]))
    return (int(rng.choice(INTEGERS[1:])) % 256**width).to_bytes(width, str(rng.choice(["little", "big"])))


def place(rng, content):
    """Somewhere in a file; in every second case near its beginning, where headers are."""
    return int(rng.integers(max(1, min(len(content), 256) if rng.random() < 0.5 else len(content))))


def flip(rng, content):
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        changed[place(rng, content)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def truncate(rng, content):
    return content[: place(rng, content)]


def insert(rng, content):
    at = place(rng, content)
    return content[:at] + rng.bytes(int(rng.integers(1, 40))) + content[at:]


def remove(rng, content):
    at = place(rng, content)
    return content[:at] + content[at + int(rng.integers(1, 40)) :]


def lie(rng, content):
    at, number = place(rng, content), integer(rng)
    return content[:at] + number + content[at + len(number) :]


def splice(rng, content):
    a, b, at = (place(rng, content) for _ in range(3))
    return content[:at] + content[min(a, b) : max(a, b)] + content[at:]


def append(rng, content):
    return content + rng.bytes(int(rng.integers(1, 300)))


def noise(rng, content):
    return content[: int(rng.integers(0, 12))] + rng.bytes(int(rng.integers(0, 300)))


def empty(rng, content):
    return b""


def foreign(rng, content):
    kinds = list(WHOLE)
    return WHOLE[kinds[rng.integers(len(kinds))]]()


MUTATIONS = [flip, flip, truncate, insert, remove, lie, lie, splice, append, noise, empty, foreign]


def mutated(rng, content):
    for _ in range(rng.choice([1, 1, 2, 3])):
        content = MUTATIONS[rng.integers(len(MUTATIONS))](rng, content) if content else content
    return content


def hostile(rng, tree):
    """A copy of nested dicts and lists in which one thing, or a few, was replaced, left out or added."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        holder, key = tree, None
        while isinstance(holder, dict | list) and holder:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            parent, key = holder, keys[rng.integers(len(keys))]
            holder = parent[key]
            if rng.random() < 0.25:
                break
        if key is None:
            continue
        what = rng.integers(8)
        if what == 0:
            del parent[key]
        elif what == 1 and isinstance(parent, dict):
            parent[str(rng.choice(["extra", "state", "step", "$array"]))] = VALUES[rng.integers(len(VALUES))]
        elif what == 2 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif what < 6 and isinstance(holder, int | float) and not isinstance(holder, bool):
            parent[key] = [holder + 1, -holder, float(holder), str(holder), [holder]][rng.integers(5)]
        else:
            parent[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return tree


def hostile_array(rng, array):
    """Another array in the place of one: of another shape or dtype, or values that make no sense."""
    with np.errstate(all="ignore"):
        return [
            lambda: array.reshape(-1)[:-1],
            lambda: array[None],
            lambda: array.astype(str(rng.choice(["float64", "float16", "int64", "uint8", "bool"]))),
            lambda: np.zeros(0, array.dtype),
            lambda: np.full_like(array, rng.choice(INTEGERS[:8])),
        ][rng.integers(5)]()


class TooLong(BaseException):
    """Not to be taken for an error of a reader, nor by one."""


@contextlib.contextmanager
def bounded(content=b""):
    """Fails where Python and NumPy take much more memory than the file has bytes, or all the time there is."""

    def too_long(signum, frame):
        raise TooLong(f"still reading after {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(MOST_SECONDS)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert peak < MOST_MEMORY + 8 * len(content), f"{peak:,} bytes for a file of {len(content):,}"


def files_in(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}
