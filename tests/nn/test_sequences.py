"""Sequences of several lengths, beside PyTorch's."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import rnn

LENGTHS = [[4, 3, 1], [2, 5, 2, 3], [3]]


def batch(lengths, width=3):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((length, width)) for length in lengths]


@pytest.mark.oracle
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("first", [True, False])
def test_packing_is_pytorchs(lengths, first):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.utils.rnn
    ours = [tg.tensor(x) for x in batch(lengths)]
    other = [torch.tensor(x) for x in batch(lengths)]
    for side in ("left", "right"):
        z, t = (lib.pad_sequence(xs, first, -1.0, side) for lib, xs in ((rnn, ours), (theirs, other)))
        np.testing.assert_array_equal(z.numpy(), t.numpy())
    assert all((a.numpy() == b.numpy()).all() for a, b in zip(rnn.unpad_sequence(z, lengths, first), ours, strict=True))
    packed, packed_ = (lib.pack_sequence(xs, enforce_sorted=False) for lib, xs in ((rnn, ours), (theirs, other)))
    for mine, its in zip(packed, packed_, strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy())
    for (z, n), (t, m) in (
        (rnn.pad_packed_sequence(packed, first), theirs.pad_packed_sequence(packed_, first)),
        (
            rnn.pad_packed_sequence(packed, first, 9.0, total_length=7),
            theirs.pad_packed_sequence(packed_, first, 9.0, total_length=7),
        ),
    ):
        np.testing.assert_array_equal(z.numpy(), t.numpy())
        np.testing.assert_array_equal(n.numpy(), m.numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("text", ["RNN(3, 4, 2, bidirectional=True)", "LSTM(3, 4, 2, bidirectional=True)", "GRU(3, 4)"])
@pytest.mark.parametrize("given", [True, False])
def test_recurrent_networks_take_packed_sequences(text, lengths, given):
    torch = pytest.importorskip("torch")
    ours, theirs = eval(f"nn.{text}"), eval(f"torch.nn.{text}")
    ours.load_state_dict({name: t.numpy() for name, t in theirs.state_dict().items()})
    ours.double(), theirs.double()
    xs = [tg.tensor(x, requires_grad=True) for x in batch(lengths)]
    xs_ = [torch.tensor(x, requires_grad=True) for x in batch(lengths)]
    hx, hx_ = None, None
    if given:
        rows = (2 if "bi" in text else 1) * ours.num_layers
        state = np.random.default_rng(1).standard_normal((rows, len(lengths), 4))
        hx, hx_ = tg.tensor(state), torch.tensor(state)
        hx, hx_ = ((hx, hx), (hx_, hx_)) if "LSTM" in text else (hx, hx_)
    z, h = ours(rnn.pack_sequence(xs, enforce_sorted=False), hx)
    z_, h_ = theirs(torch.nn.utils.rnn.pack_sequence(xs_, enforce_sorted=False), hx_)
    for mine, its in zip(h if "LSTM" in text else (h,), h_ if "LSTM" in text else (h_,), strict=True):
        np.testing.assert_allclose(mine.numpy(), its.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(z.data.numpy(), z_.data.detach().numpy(), atol=1e-12)
    (z.data.square().sum() + (h[0] if "LSTM" in text else h).square().sum()).backward()
    (z_.data.square().sum() + (h_[0] if "LSTM" in text else h_).square().sum()).backward()
    for mine, its in zip([*xs, *ours.parameters()], [*xs_, *theirs.parameters()], strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), its.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rnn.pad_sequence([]), "at least one tensor"),
        (lambda: rnn.pad_sequence([tg.ones(2)], padding_side="top"), "padding_side"),
        (lambda: rnn.pad_sequence([tg.ones(2, 3), tg.ones(2, 4)]), r"\(2, 3\) and \(2, 4\)"),
        (lambda: rnn.pack_padded_sequence(tg.ones(3, 2), [1, 3]), "enforce_sorted=False"),
        (lambda: rnn.pack_padded_sequence(tg.ones(3, 2), [4, 1]), r"in \[1, 3\]"),
        (lambda: rnn.pack_padded_sequence(tg.ones(3, 2), [1]), "one for each of the 2"),
        (lambda: nn.LSTM(3, 4)(tg.ones(2, 2, 5)), r"with H = 3, got \(2, 2, 5\)"),
        (lambda: nn.GRU(3, 4)(tg.ones(2, 2, 3), tg.ones(1, 3, 4)), r"the state must be \(1, 2, 4\), got \(1, 3, 4\)"),
        (lambda: nn.RNN(3, 4, nonlinearity="gelu"), "nonlinearity"),
        (lambda: nn.LSTM(3, 4, dropout=2.0), "dropout must be in"),
        (lambda: nn.LSTM(3, 4, proj_size=4), "proj_size must be below"),
        (lambda: nn.GRUCell(3, 4)(tg.ones(2, 4)), r"\(N, 3\) or \(3,\), got \(2, 4\)"),
    ],
)
def test_what_sequences_refuse(call, words):
    with pytest.raises(tg.TensorgradError, match=words):
        call()


@pytest.mark.oracle
@pytest.mark.parametrize("number", range(24))
def test_scaled_dot_product_attention_is_pytorchs(number):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(number)
    n, heads, rows, columns, e, width = (int(k) for k in rng.integers(1, 5, 6))
    shared = int(rng.choice([k for k in range(1, heads + 1) if heads % k == 0]))
    options = {"enable_gqa": True} if shared < heads else {}
    options |= {"scale": 0.7} if rng.random() < 0.5 else {}
    kind = rng.choice(["none", "causal", "bools", "floats"])
    options |= {"is_causal": True} if kind == "causal" else {}
    shapes = [(n, heads, rows, e), (n, shared, columns, e), (n, shared, columns, width)]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    seen = rng.random((n, 1, rows, columns)) < 0.6  # a query may see nothing
    mask = {"bools": seen, "floats": np.where(seen, rng.standard_normal(seen.shape), -np.inf)}.get(kind)
    xs = [tg.tensor(x, requires_grad=True) for x in arrays]
    ts = [torch.tensor(x, requires_grad=True) for x in arrays]
    z = nn.functional.scaled_dot_product_attention(*xs, None if mask is None else tg.tensor(mask), **options)
    t = torch.nn.functional.scaled_dot_product_attention(*ts, None if mask is None else torch.tensor(mask), **options)
    np.testing.assert_allclose(z.numpy(), t.detach().numpy(), atol=1e-12)
    upstream = rng.standard_normal(z.shape)
    z.backward(upstream), t.backward(torch.tensor(upstream))
    for x, y in zip(xs, ts, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), atol=1e-11)


def test_dropout_in_attention_drops_weights():
    tg.manual_seed(0)
    q = tg.zeros(1, 2000, 4)
    z = nn.functional.scaled_dot_product_attention(q, q[:, :10], tg.ones(1, 10, 1), dropout_p=0.5)
    assert abs(z.numpy().mean() - 1) < 0.05 and z.numpy().std() > 0.2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: nn.functional.scaled_dot_product_attention(x, x[..., :1], x), r"\(..., S, E\)"),
        (lambda x: nn.functional.scaled_dot_product_attention(x, x, x, tg.ones(3, 3), is_causal=True), "must be None"),
        (lambda x: nn.functional.scaled_dot_product_attention(x, x, x, tg.tensor([1, 0, 1])), "bools or floats"),
        (lambda x: nn.MultiheadAttention(4, 3), "num_heads must divide embed_dim, got 3 and 4"),
        (lambda x: nn.MultiheadAttention(4, 2)(x, x, x[..., :3]), r"with the sizes \(4, 4, 4\)"),
        (lambda x: nn.MultiheadAttention(4, 2)(x, x, x, attn_mask=tg.ones(3, 3)), r"attn_mask must be \(2, 2\)"),
        (lambda x: nn.MultiheadAttention(4, 2)(x, x, x, is_causal=True), "is_causal needs attn_mask"),
        (lambda x: nn.TransformerEncoderLayer(4, 2, activation="tanh"), "activation must be"),
    ],
)
def test_what_attention_refuses(call, words):
    with pytest.raises(tg.TensorgradError, match=words):
        call(tg.ones(2, 3, 4))
