"""Fine-tuning: layers exchanged and frozen, hooks, parameter groups, a checkpoint written and resumed."""

import copy
import io
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Feature(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveMaxPool2d(1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return self.fc(x.view(x.size(0), -1))


def models():
    return [Feature()]


def init_weights(m):
    if type(m) == nn.Linear:
        torch.nn.init.constant_(m.weight, 0.01)
        m.bias.data.fill_(0.01)


def train(net):
    rng = np.random.default_rng(0)
    hist = []
    # surgery
    w0 = net.fc.weight.detach().clone()
    num_ftrs = net.fc.in_features
    for param in net.parameters():
        param.requires_grad = False
    net.fc = nn.Linear(num_ftrs, 4)
    with torch.no_grad():
        net.fc.weight.copy_(w0[:4])
        net.fc.bias.zero_()
    net.layer1[0] = nn.Conv2d(8, 8, 1)
    net.layer1[0].apply(lambda m: nn.init.eye_(m.weight.data[:, :, 0, 0]) if hasattr(m, "weight") else None)
    nn.init.dirac_(net.layer1[0].weight)
    nn.init.zeros_(net.layer1[0].bias)
    net.layer2.insert(1, nn.BatchNorm2d(16))
    del net.layer1[2]
    net.layer1.append(nn.AvgPool2d(2))
    hist += [len(net.layer1), len(net.layer2), sum(p.requires_grad for p in net.parameters())]
    names = [n for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hist.append(len("".join(names)))
    activation = {}

    def get_activation(name):
        def hook(model, input, output):
            activation[name] = output.detach()

        return hook

    handles = [
        m.register_forward_hook(get_activation(n)) for n, m in net.named_modules() if len(list(m.children())) == 0
    ]
    grads = []
    h2 = net.fc.register_full_backward_hook(lambda m, gi, go: grads.append(go[0].norm().item()))
    x = torch.tensor(rng.standard_normal((4, 3, 8, 8)), dtype=torch.float32)
    y = torch.LongTensor([0, 1, 2, 3])
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    hist += [activation["layer2.0"].mean().item(), len(activation), grads[0], float(net.conv1.weight.grad is None)]
    for h in handles:
        h.remove()
    h2.remove()
    # fine-tuning: two groups, unfreezing
    for p in net.layer2.parameters():
        p.requires_grad_(True)
    net.bn1.eval()
    for p in net.layer1.parameters():
        p.requires_grad = False
    params = list(filter(lambda p: p.requires_grad, net.parameters()))
    opt = torch.optim.SGD(params, lr=0.05, momentum=0.9)
    opt.add_param_group({"params": net.layer1.parameters(), "lr": 0.005})
    for p in net.layer1.parameters():
        p.requires_grad = True
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=[0.1, 0.01], total_steps=10, pct_start=0.3)

    def step(x, y):
        opt.zero_grad()
        logits = net(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        opt.step()
        return loss, logits

    data = [torch.tensor(rng.standard_normal((4, 3, 8, 8)), dtype=torch.float32) for _ in range(8)]
    path = os.path.join(tempfile.mkdtemp(), "ckpt.pt")
    best = float("inf")
    for i in range(4):
        l, logits = step(data[i], y)
        sched.step()
        hist += [l.item(), logits.sum().item()]
        is_best = l < best
        best = min(l.item(), best)
        torch.save(
            {
                "epoch": i + 1,
                "state_dict": net.state_dict(),
                "best": best,
                "optimizer": opt.state_dict(),
                "scheduler": sched.state_dict(),
                "rng": torch.get_rng_state(),
            },
            path,
        )
    saved = copy.deepcopy(net.state_dict())
    after = []
    for i in range(4, 8):
        after.append(step(data[i], y)[0].item())
        sched.step()
    # resume
    net.load_state_dict(saved)
    ckpt = torch.load(path, map_location=torch.device("cpu"), weights_only=False)
    net.load_state_dict(ckpt["state_dict"])
    opt.load_state_dict(ckpt["optimizer"])
    sched.load_state_dict(ckpt["scheduler"])
    torch.set_rng_state(ckpt["rng"])
    again = []
    for i in range(ckpt["epoch"], 8):
        again.append(step(data[i], y)[0].item())
        sched.step()
    hist += after + again + [float(after == again), ckpt["epoch"], ckpt["best"], opt.param_groups[1]["lr"]]
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    buffer.seek(0)
    other = copy.deepcopy(net)
    other.load_state_dict(torch.load(buffer))
    partial = {k: v for k, v in net.state_dict().items() if not k.startswith("fc.")}
    r = other.load_state_dict(partial, strict=False)
    hist += [len(r.missing_keys), len(r.unexpected_keys)]
    # DataParallel prefix
    state = {"module." + k: v for k, v in net.state_dict().items()}
    other.load_state_dict({k.replace("module.", ""): v for k, v in state.items()})
    model = other
    model.eval()
    with torch.no_grad():
        hist.append(model(x).sum().item())
    feats = nn.Sequential(*list(net.children())[:-1])
    hist.append(feats(x).flatten(1).mean().item())
    total = sum(p.numel() for p in net.parameters())
    trainable = sum(p.numel() for p in net.parameters() if p.requires_grad)
    gn = torch.norm(torch.stack([torch.norm(p.grad.detach(), 2) for p in net.parameters() if p.grad is not None]), 2)
    vec = torch.nn.utils.parameters_to_vector(net.parameters())
    hist += [total, trainable, gn.item(), vec.abs().sum().item()]
    net.apply(init_weights)
    hist.append(net.fc.weight.sum().item())
    return hist
