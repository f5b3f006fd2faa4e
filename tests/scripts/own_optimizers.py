"""Optimizers and a schedule that the script writes itself: sharpness-aware minimization, Adam, polynomial decay."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Variable
from torch.optim import Optimizer
from torch.optim.lr_scheduler import _LRScheduler


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base_optimizer, rho=0.05, adaptive=False, **kwargs):
        defaults = dict(rho=rho, adaptive=adaptive, **kwargs)
        super(SAM, self).__init__(params, defaults)
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups
        self.defaults.update(self.base_optimizer.defaults)

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        grad_norm = self._grad_norm()
        for group in self.param_groups:
            scale = group["rho"] / (grad_norm + 1e-12)
            for p in group["params"]:
                if p.grad is None:
                    continue
                self.state[p]["old_p"] = p.data.clone()
                e_w = (torch.pow(p, 2) if group["adaptive"] else 1.0) * p.grad * scale.to(p)
                p.add_(e_w)
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.data = self.state[p]["old_p"]
        self.base_optimizer.step()
        if zero_grad:
            self.zero_grad()

    def _grad_norm(self):
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        return torch.norm(torch.stack([g.norm(p=2) for g in grads]), p=2)


class MyAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, defaults)

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.data
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["exp_avg"] = torch.zeros_like(p.data)
                    state["exp_avg_sq"] = torch.zeros_like(p.data)
                m, v = state["exp_avg"], state["exp_avg_sq"]
                b1, b2 = group["betas"]
                state["step"] += 1
                m.mul_(b1).add_(grad, alpha=1 - b1)
                v.mul_(b2).addcmul_(grad, grad, value=1 - b2)
                denom = v.sqrt().add_(group["eps"])
                step_size = group["lr"] * math.sqrt(1 - b2 ** state["step"]) / (1 - b1 ** state["step"])
                if group["weight_decay"] != 0:
                    p.data.add_(p.data, alpha=-group["weight_decay"] * group["lr"])
                p.data.addcdiv_(m, denom, value=-step_size)
        return loss


class WarmupPoly(_LRScheduler):
    def __init__(self, optimizer, warmup, total, power=0.9, last_epoch=-1):
        self.warmup, self.total, self.power = warmup, total, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch < self.warmup:
            return [base * (self.last_epoch + 1) / self.warmup for base in self.base_lrs]
        f = (1 - (self.last_epoch - self.warmup) / (self.total - self.warmup)) ** self.power
        return [base * f for base in self.base_lrs]


def models():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    other = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    return [net, other]


def train(net, other):
    rng = np.random.default_rng(0)
    opt = SAM(net.parameters(), torch.optim.SGD, rho=0.05, lr=0.1, momentum=0.9)
    mine = MyAdam(other.parameters(), lr=1e-2, weight_decay=1e-2)
    sched = WarmupPoly(mine, 2, 6)
    hist = []
    for _ in range(5):
        x = Variable(torch.from_numpy(rng.random((4, 1, 4, 4), dtype=np.float32)))
        y = Variable(torch.from_numpy(rng.integers(0, 3, 4)))
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.first_step(zero_grad=True)
        F.cross_entropy(net(x), y).backward()
        opt.second_step(zero_grad=True)
        a = torch.from_numpy(rng.standard_normal((6, 5)).astype(np.float32))

        def closure():
            mine.zero_grad()
            error = (other(a) - a.sum(1, keepdim=True)).pow(2).mean()
            error.backward()
            return error

        error = mine.step(closure)
        sched.step()
        hist += [loss.item(), error.item(), sched.get_last_lr()[0], mine.param_groups[0]["lr"]]
    return hist
