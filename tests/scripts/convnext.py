"""A ConvNeXt: depthwise 7x7, layer norms over channels, layer scale, averaged weights; attacks by its gradient."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def drop_path(x, drop_prob: float = 0.0, training: bool = False):
    if drop_prob == 0.0 or not training:
        return x
    keep_prob = 1 - drop_prob
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    random_tensor = keep_prob + torch.rand(shape, dtype=x.dtype, device=x.device)
    random_tensor.floor_()
    return x.div(keep_prob) * random_tensor


class LayerNorm(nn.Module):
    def __init__(self, normalized_shape, eps=1e-6, data_format="channels_last"):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.bias = nn.Parameter(torch.zeros(normalized_shape))
        self.eps = eps
        self.data_format = data_format
        if self.data_format not in ["channels_last", "channels_first"]:
            raise NotImplementedError
        self.normalized_shape = (normalized_shape,)

    def forward(self, x):
        if self.data_format == "channels_last":
            return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        elif self.data_format == "channels_first":
            u = x.mean(1, keepdim=True)
            s = (x - u).pow(2).mean(1, keepdim=True)
            x = (x - u) / torch.sqrt(s + self.eps)
            x = self.weight[:, None, None] * x + self.bias[:, None, None]
            return x


class Block(nn.Module):
    def __init__(self, dim, layer_scale_init_value=1e-6):
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = (
            nn.Parameter(layer_scale_init_value * torch.ones((dim)), requires_grad=True)
            if layer_scale_init_value > 0
            else None
        )

    def forward(self, x):
        input = x
        x = self.dwconv(x)
        x = x.permute(0, 2, 3, 1)
        x = self.norm(x)
        x = self.pwconv1(x)
        x = self.act(x)
        x = self.pwconv2(x)
        if self.gamma is not None:
            x = self.gamma * x
        x = x.permute(0, 3, 1, 2)
        x = input + drop_path(x, 0.0, self.training)
        return x


class ConvNeXt(nn.Module):
    def __init__(self, dims=(8, 16), depths=(1, 2), num_classes=6):
        super().__init__()
        self.downsample_layers = nn.ModuleList()
        self.downsample_layers.append(
            nn.Sequential(
                nn.Conv2d(3, dims[0], kernel_size=2, stride=2), LayerNorm(dims[0], data_format="channels_first")
            )
        )
        self.downsample_layers.append(
            nn.Sequential(
                LayerNorm(dims[0], data_format="channels_first"), nn.Conv2d(dims[0], dims[1], kernel_size=2, stride=2)
            )
        )
        dp_rates = [x.item() for x in torch.linspace(0, 0.1, sum(depths))]
        self.stages = nn.ModuleList([nn.Sequential(*[Block(d, 0.1) for _ in range(n)]) for d, n in zip(dims, depths)])
        self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
        self.head = nn.Linear(dims[-1], num_classes)
        self.apply(self._init_weights)
        self.head.weight.data.mul_(0.5)
        self.head.bias.data.mul_(0.5)
        self.dp = dp_rates

    def _init_weights(self, m):
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(m.weight, std=0.2)
            nn.init.constant_(m.bias, 0)

    def forward(self, x):
        for d, s in zip(self.downsample_layers, self.stages):
            x = s(d(x))
        return self.head(self.norm(x.mean([-2, -1])))


def models():
    return [ConvNeXt()]


def train(net):
    rng = np.random.default_rng(0)
    opt = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.05)
    avg = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    total = 8
    sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min((s + 1) / 3, 0.5 * (1 + np.cos(np.pi * s / total))))
    hist = list(net.dp)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y, label_smoothing=0.1)
        loss.backward()
        opt.step()
        return loss

    for i in range(total):
        x = torch.tensor(rng.standard_normal((3, 3, 16, 16)).astype("f4"))
        y = torch.tensor(rng.integers(0, 6, 3))
        hist.append(step(x, y).item())
        sched.step()
        avg.update_parameters(net)
    with torch.no_grad():
        hist += avg(x).flatten().tolist()
    # FGSM on the trained network
    net.eval()
    x.requires_grad = True
    loss = F.nll_loss(F.log_softmax(net(x), dim=1), y)
    net.zero_grad()
    loss.backward()
    data_grad = x.grad.data
    adv = torch.clamp(x + 0.1 * data_grad.sign(), -1, 1) if False else torch.clamp(x + 0.1 * x.grad.sign(), -1, 1)
    hist += [loss.item(), net(adv).max(1, keepdim=True)[1].sum().item(), F.cross_entropy(net(adv), y).item()]
    # PGD
    delta = torch.zeros_like(x, requires_grad=True)
    for _ in range(3):
        loss = F.cross_entropy(net(x.detach() + delta), y)
        loss.backward()
        delta.data = (delta + 0.02 * delta.grad.detach().sign()).clamp(-0.05, 0.05)
        delta.grad.zero_()
        hist.append(loss.item())
    return hist
