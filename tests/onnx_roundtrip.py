"""A model written, run in ONNX Runtime, and read again: what must be the same."""

import numpy as np
import onnxruntime

import tensorgrad as tg


def example_like(inputs, batch, rng):
    """Inputs of another batch size: new floats, and the whole numbers of the example repeated."""
    return [
        tg.tensor(
            rng.standard_normal((batch, *x.shape[1:])).astype(x.dtype)
            if x.dtype.kind == "f"
            else np.resize(x.numpy(), (batch, *x.shape[1:]))
        )
        for x in inputs
    ]


def settle(model, inputs):
    """Give batch norms statistics of their own, by training passes."""
    model.train()
    with tg.no_grad():
        for _ in range(2):
            model(*inputs)
    return model.eval()


def flat(results):
    if isinstance(results, tg.Tensor):
        return [results]
    values = results.values() if isinstance(results, dict) else results
    return [x for value in values if value is not None for x in flat(value)]


def run(path, inputs):
    """The outputs in ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {i.name: x.detach().numpy() for i, x in zip(session.get_inputs(), inputs, strict=True)}
    return session.run(None, given)


def gradients(model, inputs, upstream):
    """By name, the gradients for parameters and inputs under a random upstream gradient."""
    model.zero_grad()
    floats = [x.detach() for x in inputs]
    for x in floats:
        x.requires_grad = x.dtype.kind == "f"
    outputs = [z for z in flat(model(*floats)) if z.requires_grad]
    if not outputs:
        return {}
    sum((z * u).sum() for z, u in zip(outputs, upstream, strict=False)).backward()
    named = [*model.named_parameters(), *((f"input {k}", x) for k, x in enumerate(floats))]
    return {name: p.grad.numpy() for name, p in named if p.grad is not None}


def assert_close(got, expected, what, tolerance=1e-5):
    assert got.dtype == expected.dtype and got.shape == expected.shape, what
    exact = got.astype(np.float64), expected.astype(np.float64)
    scale = max(1.0, float(np.abs(exact[1]).max(initial=0)))
    np.testing.assert_allclose(*exact, rtol=tolerance, atol=tolerance * scale, err_msg=what)


def check(model, inputs, path, batch=3, **options):
    """Write the model; its outputs in ONNX Runtime, and those and the gradients of the model that is read, are equal.

    Returns:
        The model that was read.
    """
    inputs = list(inputs) if isinstance(inputs, tuple) else [inputs]
    tg.onnx.export(model, tuple(inputs), path, **options)
    model.eval()
    rng = np.random.default_rng(7)
    others = example_like(inputs, batch, rng) if options.get("batch_axis", 0) == 0 else inputs
    expected = [z.detach().numpy() for z in flat(model(*others))]
    for k, (got, z) in enumerate(zip(run(path, others), expected, strict=True)):
        assert_close(got, z, f"output {k} in ONNX Runtime")
    again = tg.onnx.load(path)
    for k, (got, z) in enumerate(zip(flat(again(*others)), expected, strict=True)):
        assert_close(got.detach().numpy(), z, f"output {k} of the loaded model")
    upstream = [tg.tensor(rng.standard_normal(z.shape), dtype=z.dtype) for z in expected if z.dtype.kind == "f"]
    ours, theirs = gradients(model, others, upstream), gradients(again, others, upstream)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert_close(theirs[name], gradient, f"gradient of {name}")
    return again
