"""A normalizing flow: coupling layers, invertible matrices, activation norms set by the data, log-determinants."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Coupling(nn.Module):
    def __init__(self, d, h, flip):
        super().__init__()
        mask = torch.arange(d) % 2
        self.register_buffer("mask", (1 - mask if flip else mask).float())
        self.s = nn.Sequential(nn.Linear(d, h), nn.Tanh(), nn.Linear(h, d), nn.Tanh())
        self.t = nn.Sequential(nn.Linear(d, h), nn.ReLU(), nn.Linear(h, d))
        self.scale = nn.Parameter(torch.Tensor(d).fill_(0.5))

    def forward(self, x):
        m = self.mask
        xm = x * m
        s = self.s(xm) * self.scale * (1 - m)
        t = self.t(xm) * (1 - m)
        return xm + (1 - m) * (x * s.exp() + t), s.sum(dim=1)

    def inverse(self, z):
        zm = z * self.mask
        s, t = self.s(zm) * self.scale * (1 - self.mask), self.t(zm) * (1 - self.mask)
        return zm + (1 - self.mask) * ((z - t) * (-s).exp())


class ActNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.loc, self.log_scale = nn.Parameter(torch.zeros(1, d)), nn.Parameter(torch.zeros(1, d))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(self, x):
        if self.training and self.initialized.item() == 0:
            with torch.no_grad():
                self.loc.data.copy_(-x.mean(0, keepdim=True))
                self.log_scale.data.copy_(-torch.log(x.std(0, keepdim=True) + 1e-6))
                self.initialized.fill_(1)
        return (x + self.loc) * self.log_scale.exp(), self.log_scale.sum().expand(x.shape[0])

    def inverse(self, z):
        return z * (-self.log_scale).exp() - self.loc


class Invertible(nn.Module):
    def __init__(self, d):
        super().__init__()
        q, _ = torch.linalg.qr(torch.randn(d, d))
        self.W = nn.Parameter(q)

    def forward(self, x):
        return x @ self.W, torch.slogdet(self.W)[1].expand(x.size(0))

    def inverse(self, z):
        return z @ torch.inverse(self.W)


class Planar(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.u, self.w, self.b = (
            nn.Parameter(torch.randn(1, d) * 0.1),
            nn.Parameter(torch.randn(1, d)),
            nn.Parameter(torch.zeros(1)),
        )

    def forward(self, z):
        lin = F.linear(z, self.w, self.b)
        psi = (1 - torch.tanh(lin) ** 2) * self.w
        return z + self.u * torch.tanh(lin), torch.log((1 + torch.mm(psi, self.u.t())).abs() + 1e-8).squeeze()


class Flow(nn.Module):
    def __init__(self, d=4):
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(3):
            self.layers.extend([ActNorm(d), Invertible(d), Coupling(d, 8, i % 2)])
        self.layers.append(Planar(d))
        self.register_buffer("base_loc", torch.zeros(d))
        self.register_buffer("base_cov", torch.eye(d))

    @property
    def base(self):
        return torch.distributions.MultivariateNormal(self.base_loc, self.base_cov)

    def forward(self, x):
        log_det = x.new_zeros(x.shape[0])
        for l in self.layers:
            x, ld = l(x)
            log_det += ld
        return x, log_det

    def inverse(self, z):
        for l in reversed(self.layers[:-1]):
            z = l.inverse(z)
        return z


def models():
    return [Flow()]


def train(flow):
    rng = np.random.default_rng(0)
    opt = torch.optim.Adamax(flow.parameters(), lr=1e-2)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.95)
    hist = []

    def nll(z, ld):
        return -(-0.5 * (z**2).sum(1) - 0.5 * z.size(1) * math.log(2 * math.pi) + ld).mean()

    def step(x):
        opt.zero_grad()
        z, ld = flow(x)
        loss = nll(z, ld)
        loss.backward()
        opt.step()
        return loss

    for i in range(8):
        x = torch.tensor(rng.standard_normal((16, 4)) @ rng.standard_normal((4, 4)), dtype=torch.float32)
        hist.append(step(x).item())
        sched.step()
    flow.eval()
    z = x
    for l in flow.layers[:-1]:
        z, _ = l(z)
    hist.append(float(torch.allclose(flow.inverse(z), x, atol=1e-4)))
    base = torch.distributions.Normal(torch.zeros(4), torch.ones(4))
    hist.append(base.log_prob(z).sum(-1).mean().item())
    return hist
