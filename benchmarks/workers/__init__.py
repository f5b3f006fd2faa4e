"""The same work in each library, one file each, and the table of them all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """How the report calls a library, what must be installed for it, and where its `Library` stands."""

    title: str
    package: str
    place: str
    sections: tuple[str, ...] = ("kernels", "convolutions", "steps", "inference", "overhead", "startup")
    distribution: str = ""
    """The name it is installed under, if not the package's."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables of its process."""
    close: float = 0.0
    """How far its numbers may lie apart from others', if further than the case says."""


KEEP = str(1 << 30)
"""Bytes: blocks below this size come from the process's own heap, which gives nothing back to the system below it."""

PEERS = {
    "tensorgrad": Peer("tensorgrad", "tensorgrad", "tensorgrad_worker:Tensorgrad", distribution="tensorgrad-engine"),
    "replayed": Peer(
        "tg.compile",
        "tensorgrad",
        "tensorgrad_worker:Compiled",
        ("steps", "inference"),
        distribution="tensorgrad-engine",
    ),
    "pytorch": Peer("PyTorch", "torch", "pytorch:PyTorch"),
    "kept": Peer(
        "kept memory",
        "torch",
        "pytorch:PyTorch",
        ("convolutions", "steps"),
        environment=(("MALLOC_TRIM_THRESHOLD_", KEEP), ("MALLOC_MMAP_THRESHOLD_", KEEP)),
    ),
    "channels_last": Peer("NHWC", "torch", "pytorch:ChannelsLast", ("steps",)),
    # bfloat16 has 8 bits of precision.
    "bf16": Peer("bf16", "torch", "pytorch:Bfloat16", ("steps",), close=0.05),
    "compiled": Peer("Inductor", "torch", "pytorch:Compiled", ("steps", "inference")),
    "onnx": Peer("ONNX Runtime", "onnxruntime", "onnx_worker:OnnxRuntime", ("inference",)),
    "jax": Peer("JAX jit", "jax", "jax_worker:Jax"),
    "tinygrad": Peer("tinygrad", "tinygrad", "tinygrad_worker:Tinygrad", ("steps",)),
    "mygrad": Peer("MyGrad", "mygrad", "mygrad_worker:MyGrad", ("kernels", "steps", "overhead", "startup")),
}
OURS, REPLAYED, MAIN = "tensorgrad", "replayed", "pytorch"
"""tensorgrad op by op, tensorgrad's compiled functions, and what both are measured against."""


class Unsupported(Exception):
    """A library has no such thing; the message says what, for a note below the table."""
