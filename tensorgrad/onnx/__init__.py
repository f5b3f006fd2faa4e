"""ONNX, the exchange format of neural networks: `export` writes a model to a file, `load` makes a Module of a file.

The package onnx is an extra: `pip install 'tensorgrad-engine[onnx]'`.
"""

from tensorgrad.onnx.loading.load import load as load
from tensorgrad.onnx.loading.module import OnnxModule as OnnxModule
from tensorgrad.onnx.reading.errors import OnnxError as OnnxError
from tensorgrad.onnx.writing.export import export as export

__all__ = ["OnnxError", "OnnxModule", "export", "load"]
