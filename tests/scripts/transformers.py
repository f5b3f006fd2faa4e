"""Three transformers: an encoder that classifies, a GPT that generates, nn.Transformer from sequence to sequence."""

import math

import numpy as np
import torch
import torch.nn as nn
from torch.nn import functional as F


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.0, max_len=50):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        x = x + self.pe[: x.size(0)]
        return self.dropout(x)


class TransformerClassifier(nn.Module):
    def __init__(self, vocab=15, d=8, heads=2, layers=2, classes=3):
        super().__init__()
        self.model_type = "Transformer"
        self.embedding = nn.Embedding(vocab, d)
        self.pos = PositionalEncoding(d)
        layer = nn.TransformerEncoderLayer(d, heads, 16, 0.0, activation="gelu", norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(d), enable_nested_tensor=False)
        self.cls = nn.Parameter(torch.zeros(1, 1, d))
        self.head = nn.Linear(d, classes)
        nn.init.trunc_normal_(self.cls, std=0.02)

    def forward(self, src, pad):
        x = self.embedding(src) * math.sqrt(8)
        x = self.pos(x)
        x = torch.cat([self.cls.expand(-1, x.size(1), -1), x])
        pad = F.pad(pad, (1, 0), value=False)
        x = self.encoder(x, src_key_padding_mask=pad)
        return self.head(x[0])


class CausalSelfAttention(nn.Module):
    def __init__(self, n_embd, n_head, block):
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.n_head, self.n_embd = n_head, n_embd
        self.register_buffer("bias", torch.tril(torch.ones(block, block)).view(1, 1, block, block))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, torch.finfo(att.dtype).min)
        att = F.softmax(att, dim=-1)
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        y2 = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
        return self.c_proj(0.5 * (y + y2))


class Block(nn.Module):
    def __init__(self, n, block):
        super().__init__()
        self.ln_1 = nn.LayerNorm(n)
        self.attn = CausalSelfAttention(n, 2, block)
        self.ln_2 = nn.LayerNorm(n)
        self.mlp = nn.ModuleDict(
            dict(c_fc=nn.Linear(n, 4 * n), c_proj=nn.Linear(4 * n, n), act=nn.GELU(approximate="tanh"))
        )
        m = self.mlp
        self.mlpf = lambda x: m.c_proj(m.act(m.c_fc(x)))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlpf(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocab=15, n=8, block=10):
        super().__init__()
        self.transformer = nn.ModuleDict(
            dict(
                wte=nn.Embedding(vocab, n),
                wpe=nn.Embedding(block, n),
                h=nn.ModuleList([Block(n, block) for _ in range(2)]),
                ln_f=nn.LayerNorm(n),
            )
        )
        self.lm_head = nn.Linear(n, vocab, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.apply(self._init_weights)
        for pn, p in self.named_parameters():
            if pn.endswith("c_proj.weight"):
                torch.nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(4))

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def forward(self, idx, targets=None):
        device = idx.device
        b, t = idx.size()
        pos = torch.arange(0, t, dtype=torch.long, device=device)
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        loss = (
            None
            if targets is None
            else F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
        )
        return logits, loss

    @torch.no_grad()
    def generate(self, idx, n, top_k=3):
        for _ in range(n):
            logits, _ = self(idx if idx.size(1) <= 10 else idx[:, -10:])
            logits = logits[:, -1, :] / 0.8
            v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
            logits[logits < v[:, [-1]]] = -float("Inf")
            probs = F.softmax(logits, dim=-1)
            idx = torch.cat((idx, probs.argmax(-1, keepdim=True)), dim=1)
        return idx


class Seq2Seq(nn.Module):
    def __init__(self, vocab=15, d=8):
        super().__init__()
        self.src, self.tgt = nn.Embedding(vocab, d), nn.Embedding(vocab, d)
        self.transformer = nn.Transformer(
            d_model=d,
            nhead=2,
            num_encoder_layers=1,
            num_decoder_layers=2,
            dim_feedforward=16,
            dropout=0.0,
            batch_first=True,
        )
        self.generator = nn.Linear(d, vocab)

    def forward(self, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1))
        pad = src == 0
        x, y = self.src(src), self.tgt(tgt)
        return self.generator(
            self.transformer(x, y, tgt_mask=mask, src_key_padding_mask=pad, memory_key_padding_mask=pad)
        )


def models():
    return [TransformerClassifier(), GPT(), Seq2Seq()]


def train(net, gpt, s2s):
    rng = np.random.default_rng(11)
    params = [*net.parameters(), *gpt.parameters(), *s2s.parameters()]
    decay = [p for p in params if p.dim() >= 2]
    rest = [p for p in params if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    opt = torch.optim.AdamW(groups, lr=2e-3, betas=(0.9, 0.95))
    hist = []
    for it in range(4):
        for g in opt.param_groups:
            g["lr"] = 2e-3 * min((it + 1) ** -0.5, (it + 1) * 2**-1.5)
        src = torch.from_numpy(rng.integers(1, 15, (7, 4)))
        lengths = torch.from_numpy(rng.integers(2, 8, 4))
        pad = torch.arange(7).expand(4, 7) >= lengths.unsqueeze(1)
        src = src.masked_fill(pad.t(), 0)
        y = src[0] % 3
        logits = net(src, pad)
        l1 = F.cross_entropy(logits, y)
        ids = torch.stack([torch.from_numpy(rng.integers(0, 15, 9)) for _ in range(3)])
        _, l2 = gpt(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())
        s = src.t()
        out = s2s(s, s[:, :-1])
        l3 = F.cross_entropy(out.reshape(-1, 15), s[:, 1:].reshape(-1), ignore_index=0, label_smoothing=0.1)
        loss = l1 + l2 + l3
        opt.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        hist += [l1.item(), l2.item(), l3.item(), norm.item()]
    gpt.eval()
    hist += gpt.generate(torch.zeros((1, 1), dtype=torch.long), 12)[0].tolist()
    return hist
