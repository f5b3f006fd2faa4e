"""A diffusion model: sinusoidal times, group norm, attention by einsum, a weighted loss, averaged weights, sampling."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        device = x.device
        half_dim = self.dim // 2
        emb = math.log(10000) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=device) * -emb)
        emb = x[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class ResBlock(nn.Module):
    def __init__(self, i, o, t, groups=4):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(t, o * 2))
        self.norm1, self.conv1 = nn.GroupNorm(groups, i), nn.Conv2d(i, o, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, o), nn.Conv2d(o, o, 3, padding=1)
        self.res = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x, t):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.mlp(t)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h) * (scale + 1) + shift
        return self.conv2(F.silu(h)) + self.res(x)


class Attention(nn.Module):
    def __init__(self, dim, heads=2, dim_head=4):
        super().__init__()
        self.scale, self.heads = dim_head**-0.5, heads
        self.norm = nn.GroupNorm(1, dim)
        self.to_qkv = nn.Conv2d(dim, dim_head * heads * 3, 1, bias=False)
        self.to_out = nn.Conv2d(dim_head * heads, dim, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        qkv = self.to_qkv(self.norm(x)).chunk(3, dim=1)
        q, k, v = map(lambda t: t.reshape(b, self.heads, -1, h * w), qkv)
        sim = torch.einsum("b h d i, b h d j -> b h i j", q * self.scale, k)
        attn = (sim - sim.amax(dim=-1, keepdim=True).detach()).softmax(dim=-1)
        out = torch.einsum("bhij,bhdj->bhid", attn, v)
        return self.to_out(out.permute(0, 1, 3, 2).reshape(b, -1, h, w)) + x


class UNet(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.time = nn.Sequential(SinusoidalPosEmb(c), nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, 4 * c))
        self.label = nn.Embedding(4, 4 * c)
        self.inp = nn.Conv2d(1, c, 3, padding=1)
        self.d1, self.down = ResBlock(c, c, 4 * c), nn.Conv2d(c, 2 * c, 4, 2, 1)
        self.mid1, self.attn, self.mid2 = ResBlock(2 * c, 2 * c, 4 * c), Attention(2 * c), ResBlock(2 * c, 2 * c, 4 * c)
        self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(2 * c, c, 3, padding=1))
        self.u1 = ResBlock(2 * c, c, 4 * c)
        self.out = nn.Sequential(nn.GroupNorm(4, c), nn.SiLU(), nn.Conv2d(c, 1, 1))

    def forward(self, x, t, y=None):
        e = self.time(t)
        if y is not None:
            e += self.label(y)
        x = self.inp(x)
        h = self.d1(x, e)
        m = self.mid2(self.attn(self.mid1(self.down(h), e)), e)
        return self.out(self.u1(torch.cat([self.up(m), h], 1), e))


def cosine_beta_schedule(timesteps, s=0.008):
    x = torch.linspace(0, timesteps, timesteps + 1, dtype=torch.float64)
    ac = torch.cos(((x / timesteps) + s) / (1 + s) * math.pi * 0.5) ** 2
    ac = ac / ac[0]
    betas = 1 - (ac[1:] / ac[:-1])
    return torch.clip(betas, 0, 0.999)


def extract(a, t, x_shape):
    b, *_ = t.shape
    out = a.gather(-1, t)
    return out.reshape(b, *((1,) * (len(x_shape) - 1)))


class Diffusion(nn.Module):
    def __init__(self, model, T=20):
        super().__init__()
        self.model, self.T = model, T
        betas = cosine_beta_schedule(T)
        alphas = 1.0 - betas
        ac = torch.cumprod(alphas, axis=0)
        ac_prev = F.pad(ac[:-1], (1, 0), value=1.0)
        register_buffer = lambda name, val: self.register_buffer(name, val.to(torch.float32))
        register_buffer("betas", betas)
        register_buffer("sqrt_ac", torch.sqrt(ac))
        register_buffer("sqrt_om", torch.sqrt(1.0 - ac))
        register_buffer("recip", torch.sqrt(1.0 / alphas))
        register_buffer("var", betas * (1.0 - ac_prev) / (1.0 - ac))
        snr = ac / (1 - ac)
        register_buffer("weight", snr.clamp(max=5) / snr)

    def q_sample(self, x, t, noise):
        return extract(self.sqrt_ac, t, x.shape) * x + extract(self.sqrt_om, t, x.shape) * noise

    def forward(self, x, t, noise, y):
        x = x * 2 - 1
        out = self.model(self.q_sample(x, t, noise), t.float(), y)
        loss = F.mse_loss(out, noise, reduction="none").mean(dim=list(range(1, x.ndim)))
        return (loss * extract(self.weight, t, loss.shape)).mean()

    @torch.no_grad()
    def sample(self, x, noises):
        self.model.eval()
        for i in reversed(range(self.T)):
            t = torch.full((x.shape[0],), i, device=x.device, dtype=torch.long)
            eps = self.model(x, t.float())
            mean = extract(self.recip, t, x.shape) * (
                x - extract(self.betas, t, x.shape) * eps / extract(self.sqrt_om, t, x.shape)
            )
            x = mean if i == 0 else mean + extract(self.var, t, x.shape).sqrt() * noises[i]
            x.clamp_(-1.0, 1.0)
        return (x + 1) * 0.5


def models():
    return [Diffusion(UNet())]


def train(d):
    rng = np.random.default_rng(0)
    r = lambda *s: torch.from_numpy(rng.standard_normal(s).astype(np.float32))
    ema = copy.deepcopy(d)
    opt = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.9, 0.99))
    hist = []

    def step(x, t, n, y):
        opt.zero_grad()
        loss = d(x, t, n, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(d.parameters(), 1.0)
        opt.step()
        return loss

    for i in range(6):
        loss = step(
            torch.from_numpy(rng.random((3, 1, 8, 8), dtype=np.float32)),
            torch.tensor(rng.integers(0, 20, (3,))).long(),
            r(3, 1, 8, 8),
            torch.tensor(rng.integers(0, 4, 3)),
        )
        hist.append(loss.item())
        with torch.no_grad():
            for p, q in zip(ema.parameters(), d.parameters()):
                p.data.mul_(0.9).add_(q.data, alpha=0.1)
    s = ema.sample(r(2, 1, 8, 8), [r(2, 1, 8, 8) for _ in range(20)])
    hist += [s.mean().item(), s.std().item()]
    return hist
