"""Control flow and sequences: graphs inside of nodes, lists of tensors, values that may be missing."""

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.onnx.ops.shapes import axis_of, numbers
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import STEPS
from tensorgrad.onnx.table import Body, DType, Host, Ints, op, tensor_of


@op("If", foldable=False)
def choose(cond: Host, *, then_branch: Body, else_branch: Body):
    return tuple((then_branch if cond.reshape(-1)[0] else else_branch)())


@op("Loop", foldable=False)
def loop(trips: Host | None = None, cond: Host | None = None, *states: Any, body: Body):
    most, going = STEPS + 1 if trips is None else int(trips.reshape(())), cond is None or bool(cond.reshape(()))
    now, made, count = list(states), list[list[Any]](), 0
    while going and count < most:
        again, *results = body(np.array(count, np.int64), np.array(True), *now)
        now, scanned = results[: len(states)], results[len(states) :]
        made.append(scanned)
        going, count = bool(_read(again)), count + 1
    return (*now, *(tg.stack([tensor_of(row[k]) for row in made]) for k in range(len(made[0]) if made else 0)))


def _read(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else tensor_of(value).item()


@op("Scan", foldable=False)
def scan_batches(
    lengths: Host | None = None, *values: Any, body: Body, num_scan_inputs: int, directions: Ints | None = None
):
    if lengths is not None:
        raise OnnxError("Scan before version 9 with lengths of its own isn't known")
    split = len(values) - num_scan_inputs
    rows = [
        scan(*(tensor_of(v)[k] for v in values), body=body, num_scan_inputs=num_scan_inputs,
             scan_input_directions=directions)
        for k in range(len(tensor_of(values[split])))
    ]  # fmt: skip
    return tuple(tg.stack(list(column)) for column in zip(*rows, strict=True))


@op("Scan", since=9, foldable=False)
def scan(
    *values: Any,
    body: Body,
    num_scan_inputs: int,
    scan_input_axes: Ints | None = None,
    scan_input_directions: Ints | None = None,
    scan_output_axes: Ints | None = None,
    scan_output_directions: Ints | None = None,
):
    split = len(values) - num_scan_inputs
    if not 0 <= split < len(values):
        raise OnnxError(f"Scan of {num_scan_inputs} inputs, got {len(values)} in all")
    now, inputs = list(values[:split]), [tensor_of(v) for v in values[split:]]
    axes = scan_input_axes or (0,) * num_scan_inputs
    inputs = [x.movedim(axis_of(a, x.ndim), 0) for x, a in zip(inputs, axes, strict=True)]
    back = scan_input_directions or (0,) * num_scan_inputs
    inputs = [x.flip(0) if b else x for x, b in zip(inputs, back, strict=True)]
    made: list[list[Any]] = []
    for k in range(len(inputs[0])):
        results = body(*now, *(x[k] for x in inputs))
        now = results[:split]
        made.append(results[split:])
    scans = []
    for k in range(len(made[0]) if made else 0):
        z = tg.stack([tensor_of(row[k]) for row in made])
        z = z.flip(0) if scan_output_directions and scan_output_directions[k] else z
        scans.append(z.movedim(0, scan_output_axes[k]) if scan_output_axes else z)
    return (*now, *scans)


# --------------------------------------------------------------------------------------------------------- sequences


def _items(sequence: Any) -> list[Any]:
    if not isinstance(sequence, list):
        raise OnnxError("expected a sequence, got a tensor")
    return sequence


def _position(sequence: list[Any], position: np.ndarray | None, default: int, inclusive: int = 0) -> int:
    at = default if position is None else int(position.reshape(()))
    if not -len(sequence) <= at < len(sequence) + inclusive:
        raise OnnxError(f"position {at} in a sequence of {len(sequence)}")
    return at


@op("SequenceConstruct")
def sequence_construct(*xs: Any):
    return (list(xs),)


@op("SequenceEmpty", foldable=False)
def sequence_empty(*, dtype: DType = 1):
    return ([],)


@op("SequenceAt")
def sequence_at(sequence: Any, position: Host):
    return _items(sequence)[_position(_items(sequence), position, 0)]


@op("SequenceInsert")
def sequence_insert(sequence: Any, x: Any, position: Host | None = None):
    items = list(_items(sequence))
    items.insert(_position(items, position, len(items), 1), x)
    return (items,)


@op("SequenceErase")
def sequence_erase(sequence: Any, position: Host | None = None):
    items = list(_items(sequence))
    del items[_position(items, position, -1)]
    return (items,)


@op("SequenceLength")
def sequence_length(sequence: Any):
    return np.array(len(_items(sequence)), np.int64)


@op("ConcatFromSequence")
def concat_from_sequence(sequence: Any, *, axis: int, new_axis: int = 0):
    return (tg.stack if new_axis else tg.cat)([tensor_of(x) for x in _items(sequence)], axis)


@op("SplitToSequence")
def split_to_sequence(x, split: Host | None = None, *, axis: int = 0, keepdims: int = 1):
    n = x.shape[axis_of(axis, x.ndim)]
    if split is None:
        parts = list(tg.split(x, 1, axis))
        return (parts if keepdims else [p.squeeze(axis) for p in parts],)
    if split.ndim == 0 and (n == 0 or split <= 0):
        raise OnnxError(f"SplitToSequence of {n} values into parts of {split}")
    return (list(tg.split(x, numbers(split) if split.ndim else int(split), axis)),)


@op("SequenceMap", foldable=False)
def sequence_map(sequence: Any, *others: Any, body: Body):
    items = _items(sequence)
    rows = [body(x, *(o[k] if isinstance(o, list) else o for o in others)) for k, x in enumerate(items)]
    return tuple(list(column) for column in zip(*rows, strict=True))


@op("OptionalHasElement")
def optional_has_element(x: Any = None):
    return np.array(x is not None)


@op("OptionalGetElement")
def optional_get_element(x: Any):
    if x is None:
        raise OnnxError("OptionalGetElement of a value that is missing")
    return (x,)
