"""makemore's network: characters embedded by indexing, batch norm by hand, plain gradient descent on `p.data`."""

import numpy as np
import torch
import torch.nn.functional as F

WORDS = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "charlotte", "amelia", "harper", "evelyn"]
block_size, n_embd, n_hidden = 3, 5, 12

chars = sorted(list(set("".join(WORDS))))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
vocab_size = len(stoi)


def build_dataset(words):
    X, Y = [], []
    for w in words:
        context = [0] * block_size
        for ch in w + ".":
            ix = stoi[ch]
            X.append(context)
            Y.append(ix)
            context = context[1:] + [ix]
    return torch.tensor(X), torch.tensor(Y)


def models():
    return []


def train():
    rng = np.random.default_rng(7)

    def normal(*shape):
        return torch.tensor(rng.standard_normal(shape).astype(np.float32))

    Xtr, Ytr = build_dataset(WORDS)
    C = normal(vocab_size, n_embd)
    W1 = normal(n_embd * block_size, n_hidden) * (5 / 3) / ((n_embd * block_size) ** 0.5)
    W2 = normal(n_hidden, vocab_size) * 0.01
    b2 = normal(vocab_size) * 0
    bngain = torch.ones((1, n_hidden))
    bnbias = torch.zeros((1, n_hidden))
    bnmean_running = torch.zeros((1, n_hidden))
    bnstd_running = torch.ones((1, n_hidden))
    parameters = [C, W1, W2, b2, bngain, bnbias]
    history = [sum(p.nelement() for p in parameters)]
    for p in parameters:
        p.requires_grad = True
    for i in range(5):
        ix = torch.from_numpy(rng.integers(0, Xtr.shape[0], (16,)))
        Xb, Yb = Xtr[ix], Ytr[ix]
        emb = C[Xb]
        embcat = emb.view(emb.shape[0], -1)
        hpreact = embcat @ W1
        bnmeani = hpreact.mean(0, keepdim=True)
        bnstdi = hpreact.std(0, keepdim=True)
        hpreact = bngain * (hpreact - bnmeani) / bnstdi + bnbias
        with torch.no_grad():
            bnmean_running = 0.999 * bnmean_running + 0.001 * bnmeani
            bnstd_running = 0.999 * bnstd_running + 0.001 * bnstdi
        h = torch.tanh(hpreact)
        logits = h @ W2 + b2
        loss = F.cross_entropy(logits, Yb)
        for p in parameters:
            p.grad = None
        loss.backward()
        lr = 0.1 if i < 3 else 0.01
        for p in parameters:
            p.data += -lr * p.grad
        history.append(loss.log10().item())
    # The same gradient by hand, as in the exercise.
    logit_maxes = logits.max(1, keepdim=True).values
    norm_logits = logits - logit_maxes
    counts = norm_logits.exp()
    probs = counts * counts.sum(1, keepdims=True) ** -1
    by_hand = -probs.log()[range(len(Yb)), Yb].mean()
    var = hpreact.var(0, unbiased=True).mean()
    return [*history, by_hand.item(), var.item(), bnmean_running.sum().item(), bnstd_running.sum().item()]
