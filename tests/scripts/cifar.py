"""A ResNet for CIFAR: mixed precision, OneCycleLR, mixup, label smoothing, averaged weights, the best state kept."""

import copy
import os
import random
from collections import OrderedDict

import numpy as np
import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
import torch.nn.functional as F
from torch.cuda.amp import GradScaler, autocast
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset, Subset


def seed_everything(seed=42):
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1):
        super(BasicBlock, self).__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != self.expansion * planes:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    [
                        (
                            "conv",
                            nn.Conv2d(in_planes, self.expansion * planes, kernel_size=1, stride=stride, bias=False),
                        ),
                        ("bn", nn.BatchNorm2d(self.expansion * planes)),
                    ]
                )
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class SEBlock(nn.Module):
    def __init__(self, channel, reduction=4):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channel, channel // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channel // reduction, channel, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.avg_pool(x).view(b, c)
        y = self.fc(y).view(b, c, 1, 1)
        return x * y.expand_as(x)


class ResNet(nn.Module):
    def __init__(self, num_blocks, num_classes=10):
        super().__init__()
        self.in_planes = 8
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = self._make_layer(8, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(16, num_blocks[1], stride=2)
        self.se = SEBlock(16)
        self.linear = nn.Linear(16, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _make_layer(self, planes, n, stride):
        strides = [stride] + [1] * (n - 1)
        layers = []
        for s in strides:
            layers.append(BasicBlock(self.in_planes, planes, s))
            self.in_planes = planes * BasicBlock.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.se(self.layer2(self.layer1(x)))
        x = F.avg_pool2d(x, x.size()[2:])
        return self.linear(torch.flatten(x, 1))


class Fake(Dataset):
    def __init__(self, n):
        rng = np.random.default_rng(0)
        self.x = rng.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
        self.y = rng.integers(0, 10, n)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        image = torch.from_numpy(self.x[idx].transpose(2, 0, 1)).float() / 255.0
        return image, int(self.y[idx])


class AverageMeter(object):
    def __init__(self):
        self.reset()

    def reset(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        maxk = max(topk)
        batch_size = target.size(0)
        _, pred = output.topk(maxk, 1, True, True)
        pred = pred.t()
        correct = pred.eq(target.view(1, -1).expand_as(pred))
        res = []
        for k in topk:
            correct_k = correct[:k].reshape(-1).float().sum(0, keepdim=True)
            res.append(correct_k.mul_(100.0 / batch_size))
        return res


@torch.no_grad()
def update_ema(ema, model, decay=0.9):
    for e, m in zip(ema.state_dict().values(), model.state_dict().values()):
        if e.is_floating_point():
            e.mul_(decay).add_(m.detach(), alpha=1 - decay)


def models():
    return [ResNet([1, 1])]


def train(net):
    seed_everything()
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    cudnn.benchmark = True
    net = net.to(device)
    full = Fake(20)
    train_set, val_set = Subset(full, range(16)), Subset(full, range(16, 20))
    loader = DataLoader(train_set, batch_size=8, shuffle=False, num_workers=0, pin_memory=False, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=4)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1).to(device)
    decay, no_decay = [], []
    for name, param in net.named_parameters():
        if not param.requires_grad:
            continue
        (no_decay if param.ndim <= 1 or name.endswith(".bias") else decay).append(param)
    optimizer = torch.optim.SGD(
        [{"params": no_decay, "weight_decay": 0.0}, {"params": decay, "weight_decay": 5e-4}],
        lr=0.1,
        momentum=0.9,
        nesterov=True,
    )
    epochs = 3
    scheduler = OneCycleLR(optimizer, max_lr=0.1, steps_per_epoch=len(loader), epochs=epochs, pct_start=0.3)
    scaler = GradScaler(enabled=torch.cuda.is_available())
    ema = copy.deepcopy(net).eval()
    for p in ema.parameters():
        p.requires_grad_(False)
    history = []
    lam = 0.7
    best_acc, best_state = 0.0, None
    for epoch in range(epochs):
        net.train()
        losses, top1 = AverageMeter(), AverageMeter()
        for i, (inputs, targets) in enumerate(loader):
            inputs, targets = inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)
            index = torch.arange(inputs.size(0) - 1, -1, -1)
            mixed = lam * inputs + (1 - lam) * inputs[index, :]
            optimizer.zero_grad(set_to_none=True)
            with autocast(enabled=torch.cuda.is_available()):
                outputs = net(mixed)
                loss = lam * criterion(outputs, targets) + (1 - lam) * criterion(outputs, targets[index])
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            update_ema(ema, net)
            acc1, acc5 = accuracy(outputs, targets, topk=(1, 5))
            losses.update(loss.item(), inputs.size(0))
            top1.update(acc1.item(), inputs.size(0))
            group = optimizer.param_groups[0]
            history += [loss.item(), acc5.item(), group["lr"], group["momentum"], scheduler.get_last_lr()[0]]
        net.eval()
        correct = total = 0
        with torch.inference_mode():
            for inputs, targets in val_loader:
                out = net(inputs)
                ema_out = ema(inputs)
                _, predicted = out.max(1)
                total += targets.size(0)
                correct += predicted.eq(targets).sum().item()
                history += [F.cross_entropy(ema_out, targets).item(), criterion(out, targets).item()]
        if 100.0 * correct / total >= best_acc:
            best_acc = 100.0 * correct / total
            best_state = {k: v.clone() for k, v in net.state_dict().items()}
        history += [losses.avg, top1.avg]
    net.load_state_dict(best_state)
    return history
