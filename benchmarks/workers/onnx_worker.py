"""Inference in ONNX Runtime: PyTorch's network, exported."""

import io
import warnings

import onnxruntime
import torch

from benchmarks import inputs
from benchmarks.workers.library import Call, Library
from benchmarks.workers.pytorch import build, tensor


class OnnxRuntime(Library):
    threads = 0
    """As many as it finds cores."""

    def use_threads(self, count: int) -> None:
        self.threads = count

    def inference(self, layers, x) -> Call:
        file = io.BytesIO()
        with warnings.catch_warnings():  # the exporter that needs no further packages calls itself deprecated
            warnings.simplefilter("ignore")
            model = build(layers, x).eval()
            torch.onnx.export(model, (tensor(x),), file, dynamo=False, input_names=["x"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
        arguments = {"x": inputs.normal(x)}
        return lambda: session.run(None, arguments)
