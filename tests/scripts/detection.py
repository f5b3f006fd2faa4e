"""A detector: anchors, matching by overlap, encoded boxes, focal and smooth L1 losses, suppression of overlapping boxes."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def box_iou(boxes1, boxes2):
    area1 = (boxes1[:, 2] - boxes1[:, 0]) * (boxes1[:, 3] - boxes1[:, 1])
    area2 = (boxes2[:, 2] - boxes2[:, 0]) * (boxes2[:, 3] - boxes2[:, 1])
    lt = torch.max(boxes1[:, None, :2], boxes2[:, :2])
    rb = torch.min(boxes1[:, None, 2:], boxes2[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, :, 0] * wh[:, :, 1]
    return inter / (area1[:, None] + area2 - inter)


def nms(boxes, scores, thr):
    order = scores.argsort(descending=True)
    keep = []
    while order.numel() > 0:
        i = order[0]
        keep.append(i.item())
        if order.numel() == 1:
            break
        iou = box_iou(boxes[i].unsqueeze(0), boxes[order[1:]])[0]
        inds = torch.nonzero(iou <= thr, as_tuple=False).squeeze(1)
        order = order[inds + 1]
    return torch.tensor(keep, dtype=torch.int64)


def make_anchors(h, w, stride, sizes):
    ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    centres = torch.stack([xs, ys], dim=-1).reshape(-1, 1, 2).float() * stride + stride / 2
    s = torch.tensor(sizes, dtype=torch.float32).view(1, -1, 1)
    return torch.cat([centres - s / 2, centres + s / 2], dim=-1).reshape(-1, 4)


def encode(gt, anchors):
    aw, ah = anchors[..., 2] - anchors[..., 0], anchors[..., 3] - anchors[..., 1]
    ax, ay = anchors[..., 0] + 0.5 * aw, anchors[..., 1] + 0.5 * ah
    gw, gh = gt[..., 2] - gt[..., 0], gt[..., 3] - gt[..., 1]
    gx, gy = gt[..., 0] + 0.5 * gw, gt[..., 1] + 0.5 * gh
    return torch.stack(((gx - ax) / aw, (gy - ay) / ah, torch.log(gw / aw), torch.log(gh / ah)), dim=-1)


class Head(nn.Module):
    def __init__(self, c, na, nc):
        super().__init__()
        self.na, self.nc = na, nc
        self.backbone = nn.Sequential(
            nn.Conv2d(3, c, 3, 2, 1),
            nn.BatchNorm2d(c),
            nn.ReLU(),
            nn.Conv2d(c, c, 3, 2, 1),
            nn.BatchNorm2d(c),
            nn.ReLU(),
        )
        self.cls = nn.Conv2d(c, na * nc, 3, padding=1)
        self.reg = nn.Conv2d(c, na * 4, 3, padding=1)
        prior = 0.01
        torch.nn.init.constant_(self.cls.bias, -np.log((1 - prior) / prior))

    def forward(self, x):
        f = self.backbone(x)
        N, _, H, W = f.shape
        c = self.cls(f).view(N, self.na, self.nc, H, W).permute(0, 3, 4, 1, 2).reshape(N, -1, self.nc)
        r = self.reg(f).view(N, -1, 4, H, W).permute(0, 3, 4, 1, 2).contiguous().view(N, -1, 4)
        return c, r


def sigmoid_focal(logits, t, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, t, reduction="none")
    p_t = p * t + (1 - p) * (1 - t)
    loss = ce * ((1 - p_t) ** gamma)
    return ((alpha * t + (1 - alpha) * (1 - t)) * loss).sum()


def models():
    return [Head(8, 2, 3)]


def train(net):
    rng = np.random.default_rng(5)
    anchors = make_anchors(6, 6, 4, [6.0, 12.0])
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    hist = []

    def step(x, cls_t, reg_t, pos):
        opt.zero_grad()
        c, r = net(x)
        n = pos.sum().clamp(min=1)
        lc = sigmoid_focal(c, cls_t) / n
        lr_ = F.smooth_l1_loss(r, reg_t, reduction="none", beta=0.11).sum(-1)
        lr_ = torch.where(pos, lr_, torch.zeros_like(lr_)).sum() / n
        loss = lc + lr_
        loss.backward()
        opt.step()
        return loss, lc, c, r

    for it in range(5):
        x = torch.from_numpy(rng.random((2, 3, 24, 24)).astype("float32"))
        lo = rng.uniform(0, 12, (2, 3, 2))
        wh = rng.uniform(4, 12, (2, 3, 2))
        gt = torch.tensor(np.concatenate([lo, lo + wh], -1)).float()
        labels = torch.tensor(rng.integers(0, 3, (2, 3)))
        cls_t, reg_t, pos = [], [], []
        for b in range(2):
            iou = box_iou(gt[b], anchors)
            best, which = iou.max(dim=0)
            positive = best >= 0.3
            positive[iou.argmax(dim=1)] = True
            t = torch.zeros(anchors.shape[0], 3)
            t[positive, labels[b][which[positive]]] = 1.0
            cls_t.append(t)
            matched = gt[b][which]
            enc = encode(matched, anchors)
            enc[~positive] = 0
            reg_t.append(enc)
            pos.append(positive)
        loss, lc, c, r = step(x, torch.stack(cls_t), torch.stack(reg_t), torch.stack(pos))
        scores, cls = c[0].sigmoid().max(-1)
        keep = nms(anchors, scores, 0.4)
        # masked indexing with a gradient
        mask = torch.stack(pos)
        masked = F.smooth_l1_loss(r[mask], torch.stack(reg_t)[mask])
        hist += [
            loss.item(),
            lc.item(),
            masked.item(),
            len(keep),
            keep[:5].sum().item(),
            mask.sum().item(),
            scores[keep].sum().item(),
        ]
    net.zero_grad()
    c, r = net(x)
    l = r[mask].pow(2).mean() + c[mask][:, 0].abs().mean() + c.masked_select(mask.unsqueeze(-1)).mean()
    l.backward()
    hist += [l.item()] + [p.grad.norm().item() for p in net.parameters() if p.grad is not None]
    return hist
