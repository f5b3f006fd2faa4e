"""From a model to a file: its forward pass is traced, and each op becomes nodes of ONNX."""
