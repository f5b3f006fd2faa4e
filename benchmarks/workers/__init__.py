"""The same work in each library, one file each, and the table of them all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """How the report calls a library, what must be installed for it, and where its `Library` stands."""

    title: str
    package: str
    place: str
    sections: tuple[str, ...] = ("kernels", "steps", "overhead", "startup", "memory")
    slow: bool = False
    """It compiles for seconds, even minutes: only chosen cases."""
    distribution: str = ""
    """The name it is installed under, if not the package's."""


PEERS = {
    "tensorgrad": Peer("tensorgrad", "tensorgrad", "tensorgrad_worker:Tensorgrad", distribution="tensorgrad-engine"),
    "replayed": Peer(
        "tg.compile",
        "tensorgrad",
        "tensorgrad_worker:Compiled",
        ("steps", "memory"),
        distribution="tensorgrad-engine",
    ),
    "pytorch": Peer("PyTorch", "torch", "pytorch:PyTorch"),
    "compiled": Peer("Inductor", "torch", "pytorch:Compiled", ("steps",), slow=True),
    "jax": Peer("JAX jit", "jax", "jax_worker:Jax"),
    "tinygrad": Peer("tinygrad", "tinygrad", "tinygrad_worker:Tinygrad", ("steps",), slow=True),
    "mygrad": Peer("MyGrad", "mygrad", "mygrad_worker:MyGrad"),
}
OURS, REPLAYED, MAIN = "tensorgrad", "replayed", "pytorch"
"""tensorgrad op by op, tensorgrad's compiled functions, and what both are measured against."""


class Unsupported(Exception):
    """A library has no such thing; the message says what, for a note below the table."""
