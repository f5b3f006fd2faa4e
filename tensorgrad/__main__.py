"""The command line: compile the kernels ahead, draw a saved model's graph."""

import argparse
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorgrad as tg
from tensorgrad import kernels
from tensorgrad.errors import ArgumentError, TensorgradError, restate


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tensorgrad", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    about = "compile every kernel, or load it from the cache, and report each: so that no first step has to wait"
    commands.add_parser("warmup", help=about, description=about)
    about = "run a model once, forward and back, and draw the chain rule it took"
    draw = commands.add_parser("draw", help=about, description=about)
    draw.add_argument(
        "model", help="where its class, or a function that makes it, is: file.py:Net or package.module:Net"
    )
    draw.add_argument("weights", nargs="?", type=Path, help="a .safetensors file: tg.save(model.state_dict(), ...)")
    draw.add_argument("--input", required=True, type=_sizes, help="the sizes of an input, batch included: 1,1,28,28")
    draw.add_argument("--label", type=int, help="draw the cross-entropy of this class, not the sum of the outputs")
    draw.add_argument("--train", action="store_true", help="in training mode: dropout drops, batch norm uses the batch")
    draw.add_argument("--out", type=Path, default=Path("graph.html"), help="a .html, .svg, .png or .dot file")
    options = parser.parse_args(arguments)
    if options.command == "warmup":
        warm_up()
        return
    del options.command
    try:
        print(f"wrote {draw_model(**vars(options))}")
    except TensorgradError as error:
        sys.exit(str(error))


def warm_up() -> None:
    """Compile or load every kernel, a line for each."""
    start = time.perf_counter()
    for name, seconds in kernels.warmup():
        print(f"{name:<32} {seconds:7.2f} s", flush=True)
    print(f"all kernels are ready after {time.perf_counter() - start:.1f} s")


def draw_model(
    model: str, weights: Path | None, input: tuple[int, ...], label: int | None, train: bool, out: Path
) -> Path:
    """Draw a model's graph on random numbers in place of an input; returns the path of the drawing.

    Args:
        model: `file.py:name` or `package.module:name` of a Module, or of something that makes one without arguments.
        weights: its state dict; without one it stays as it was made.
        input: its sizes.
        label: what every example is taken to be, for a cross-entropy; without one the outputs are summed.
        train: in training mode.
        out: the file to write; its suffix names the format.

    Raises:
        ArgumentError: no such model.
        TensorgradError: weights that don't fit, an input that doesn't.
    """
    made = _find(model)
    net = made if isinstance(made, tg.nn.Module) else made()
    if not isinstance(net, tg.nn.Module):
        raise ArgumentError(restate("draw", f"{model} is no model", expected="a Module", found=net))
    if weights is not None:
        net.load_state_dict(tg.load(weights))
    net.train(train)
    tg.manual_seed(0)
    x = tg.randn(*input)
    x.name = "input"
    with tg.viz.trace() as trace:
        output = net(x)
        loss = output.sum() if label is None else tg.nn.cross_entropy(output, tg.full((len(output),), label))
        loss.backward()
    return tg.viz.graph(trace).save(out)


def _find(model: str) -> Callable[[], Any] | Any:
    """What `file.py:name` or `package.module:name` stands for."""
    place, _, name = model.rpartition(":")
    expected = "file.py:Net or package.module:Net"
    if not place:
        raise ArgumentError(restate("draw", "the model needs a place and a name", expected=expected, model=model))
    try:
        module = _load(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        return getattr(module, name)
    except (ImportError, OSError, AttributeError) as error:
        raise ArgumentError(restate("draw", f"no such model: {error}", expected=expected, model=model)) from error


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    # What a file imports from beside it, it finds as if it were run.
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    return module


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.replace("x", ",").split(","))


if __name__ == "__main__":
    main()
