"""A siamese network: one embedding for three pictures, triplet and contrastive losses, distances between pairs."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import lr_scheduler


class EmbeddingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.convnet = nn.Sequential(
            nn.Conv2d(1, 4, 5),
            nn.PReLU(),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(4, 8, 3),
            nn.PReLU(),
            nn.MaxPool2d(2, stride=2),
        )
        self.fc = nn.Sequential(nn.Linear(8 * 2 * 2, 16), nn.PReLU(), nn.Linear(16, 2))

    def forward(self, x):
        output = self.convnet(x)
        output = output.view(output.size()[0], -1)
        return self.fc(output)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin):
        super().__init__()
        self.margin = margin
        self.eps = 1e-9

    def forward(self, output1, output2, target, size_average=True):
        distances = (output2 - output1).pow(2).sum(1)
        losses = 0.5 * (
            target.float() * distances
            + (1 + -1 * target).float() * F.relu(self.margin - (distances + self.eps).sqrt()).pow(2)
        )
        return losses.mean() if size_average else losses.sum()


def models():
    return [EmbeddingNet()]


def train(net):
    rng = np.random.default_rng(6)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    scheduler = lr_scheduler.StepLR(optimizer, 2, gamma=0.1, last_epoch=-1)
    triplet = nn.TripletMarginLoss(margin=1.0, p=2)
    contrastive = ContrastiveLoss(1.0)
    history = []
    for _ in range(4):
        anchor, positive, negative = (torch.from_numpy(rng.random((4, 1, 18, 18), dtype=np.float32)) for _ in range(3))
        optimizer.zero_grad()
        a, p, n = net(anchor), net(positive), net(negative)
        same = torch.tensor([1, 0, 1, 0])
        loss = triplet(a, p, n) + contrastive(a, p, same)
        loss = loss + F.margin_ranking_loss(
            F.pairwise_distance(a, n), F.pairwise_distance(a, p), torch.ones(4), margin=0.5
        )
        loss = loss + F.cosine_embedding_loss(a, p, 2.0 * same - 1)
        loss.backward()
        optimizer.step()
        scheduler.step()
        history += [loss.item(), torch.norm(a - n, dim=1).mean().item(), F.cosine_similarity(a, p).sum().item()]
    return history
