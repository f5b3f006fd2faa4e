"""What to use in place of names that PyTorch or NumPy has and tensorgrad hasn't."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tensorgrad.errors import UnknownNameError

CPU = "tensorgrad runs on the CPU; leave it out"
NO_COMPLEX = "tensorgrad has no complex numbers; compute the real and the imaginary part as two tensors"
NO_SPARSE = "tensorgrad has no sparse tensors; use a dense one, or tg.gather and indexing"
NO_QUANTIZED = "tensorgrad has no quantized tensors; t.half() stores numbers in half of the memory"
NO_NAMES = "tensorgrad's axes have no names; pass their numbers"
ONE_PROCESS = "tensorgrad runs in one process, with a thread per core; leave it out"
COMPILE = "tensorgrad has no TorchScript: tg.compile(function) records what it runs"

TENSORGRAD = {
    # NumPy's names
    "array": "tg.tensor(data)",
    "asarray": "tg.as_tensor(data)",
    "ascontiguousarray": "t.contiguous()",
    "copy": "tg.clone(x)",
    "expand_dims": "tg.unsqueeze(x, dim)",
    "mod": "tg.remainder(x, y)",
    "ndarray": "tg.Tensor",
    "pad": "F.pad(x, (left, right, top, bottom)) of `import tensorgrad.nn.functional as F`, or np.pad(x, widths)",
    "power": "tg.pow(x, y)",
    "random": "tg.rand, tg.randn or tg.randint; tg.manual_seed(0) seeds them",
    "invert": "tg.logical_not(x), or ~x",
    "dtype": "np.dtype: dtypes are NumPy's",
    "bfloat16": "tg.float32: NumPy has no bfloat16",
    "set_default_tensor_type": "dtype= where a tensor is made",
    "set_default_device": CPU,
    "get_default_device": 'tg.device("cpu")',
    # PyTorch's functions with another spelling
    "chain_matmul": "a @ b @ c",
    "constant_pad_nd": "F.pad(x, pad, value=value)",
    "expit": "tg.sigmoid(x)",
    "from_file": "tg.from_numpy(np.fromfile(path))",
    "range": "tg.arange(start, end + step, step)",
    "symeig": "tg.linalg.eigh(a)",
    "unsafe_split": "tg.split(x, size, dim)",
    # Parts of PyTorch that tensorgrad leaves out
    "accelerator": CPU,
    "mps": CPU,
    "xpu": CPU,
    "multiprocessing": "DataLoader(num_workers=...), or Python's multiprocessing",
    "jit": COMPILE,
    "script": COMPILE,
    "export": COMPILE,
    "hub": "tg.load(path) and model.load_state_dict(...)",
    "fx": "tg.viz.trace() records the graph",
    "profiler": "tg.observe(observer), which hears of every op",
    "anomaly_mode": "tg.viz.trace(), which finds where NaN begins",
    "autograd_detect_anomaly": "tg.viz.trace(), which finds where NaN begins",
    "fft": NO_COMPLEX,
    "stft": NO_COMPLEX,
    "istft": NO_COMPLEX,
    "complex": NO_COMPLEX,
    "complex64": NO_COMPLEX,
    "complex128": NO_COMPLEX,
    "cfloat": NO_COMPLEX,
    "polar": NO_COMPLEX,
    "view_as_complex": NO_COMPLEX,
    "view_as_real": NO_COMPLEX,
    "is_complex": NO_COMPLEX,
    "imag": NO_COMPLEX,
    "conj": NO_COMPLEX,
    "angle": NO_COMPLEX,
    "sparse": NO_SPARSE,
    "sparse_coo_tensor": NO_SPARSE,
    "sparse_csr_tensor": NO_SPARSE,
    "quantization": NO_QUANTIZED,
    "ao": NO_QUANTIZED,
    "quantize_per_tensor": NO_QUANTIZED,
    "qint8": NO_QUANTIZED,
    "quint8": NO_QUANTIZED,
}
"""By name below `torch` or `numpy`: what to write here."""

TENSOR = {
    # NumPy's names
    "copy": "x.clone()",
    "data_ptr": "x.numpy().ctypes.data",
    "flat": "x.flatten()",
    "fill": "x[...] = value",
    "itemsize": "x.element_size()",
    "nbytes": "x.numel() * x.element_size()",
    "ptp": "x.max() - x.min()",
    "strides": "x.numpy().strides",
    "stride": "x.numpy().strides, in bytes",
    "tobytes": "x.numpy().tobytes()",
    "values": "x.numpy()",
    # PyTorch's names
    "apply_": "an expression of x, such as tg.where(x > 0, x, 0)",
    "map_": "an expression of x and y",
    "bfloat16": "x.float(): NumPy has no bfloat16",
    "coalesce": NO_SPARSE,
    "conj": NO_COMPLEX,
    "imag": NO_COMPLEX,
    "is_sparse": NO_SPARSE,
    "to_dense": "x itself: tensors are dense",
    "to_sparse": NO_SPARSE,
    "names": NO_NAMES,
    "align_to": NO_NAMES,
    "refine_names": NO_NAMES,
    "rename": "x.name = ..., which names the tensor in drawings",
    "is_pinned": CPU,
    "pin_memory": CPU,
    "storage": "x.numpy()",
    "untyped_storage": "x.numpy()",
    "ipu": CPU,
    "mps": CPU,
    "xpu": CPU,
    "to_mkldnn": CPU,
}
"""By name below `torch.Tensor` or `numpy.ndarray`: what to write here, for a tensor x."""

NN = {
    "DataParallel": "nn.parallel.DistributedDataParallel, and mpiexec -n 4 python train.py",
    "quantized": NO_QUANTIZED,
    "qat": NO_QUANTIZED,
    "AdaptiveLogSoftmaxWithLoss": "nn.Linear and F.cross_entropy",
    "NLLLoss2d": "nn.NLLLoss, which takes images too",
    "Container": "nn.Module",
}
"""By name below `torch.nn`: what to use here."""

FUNCTIONAL = {
    "softmax2d": "F.softmax(x, dim=1)",
    "log_sigmoid": "F.logsigmoid(x)",
    "swish": "F.silu(x)",
    "crossentropy": "F.cross_entropy(input, target)",
    "nll_loss2d": "F.nll_loss(input, target), which takes images too",
    "has_torch_function": "isinstance(x, tg.Tensor)",
}
"""By name below `torch.nn.functional`: what to use here."""


def unknown(where: str, name: str, advice: dict[str, str], known: Iterable[str]) -> UnknownNameError:
    """The error for a name that isn't there, with what to use instead: advice, or a name that is spelled alike.

    Args:
        where: what lacks the name: "tensorgrad", "Tensor", "tensorgrad.nn".
        name: the name.
        advice: what to use, by name.
        known: the names that are there.

    >>> print(unknown("tensorgrad", "chain_matmul", TENSORGRAD, []))
    tensorgrad has no 'chain_matmul'
      fix: a @ b @ c
    >>> print(unknown("Tensor", "reshap", TENSOR, ["reshape", "relu"]))
    Tensor has no 'reshap'
      fix: did you mean 'reshape'?
    """
    return UnknownNameError(where, name, advice.get(name), known)


def below(module: Any) -> Iterator[str]:
    """The public names of a module or class; nothing is looked up before the first is wanted."""
    yield from (name for name in dir(module) if not name.startswith("_"))
