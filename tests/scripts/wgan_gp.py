"""A Wasserstein GAN with gradient penalty: a gradient of a gradient in every step."""

import numpy as np
import torch
import torch.autograd as autograd
import torch.nn as nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()

        def block(in_feat, out_feat, normalize=True):
            layers = [nn.Linear(in_feat, out_feat)]
            if normalize:
                layers.append(nn.BatchNorm1d(out_feat, 0.8))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            return layers

        self.model = nn.Sequential(*block(5, 8, normalize=False), *block(8, 12), nn.Linear(12, 36), nn.Tanh())

    def forward(self, z):
        img = self.model(z)
        return img.view(img.shape[0], 1, 6, 6)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, stride=2, padding=1)
        self.model = nn.Sequential(nn.Linear(27, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def forward(self, img):
        x = torch.tanh(self.conv(img))
        return self.model(x.view(x.shape[0], -1))


def compute_gradient_penalty(D, real_samples, fake_samples, alpha):
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = torch.ones(real_samples.shape[0], 1)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=fake,
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def models():
    return [Generator(), Discriminator()]


def train(generator, discriminator):
    rng = np.random.default_rng(11)
    optimizer_G = torch.optim.Adam(generator.parameters(), lr=0.002, betas=(0.5, 0.999))
    optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=0.002, betas=(0.5, 0.999))
    history = []
    for i in range(4):
        real_imgs = torch.from_numpy(rng.standard_normal((4, 1, 6, 6)).astype(np.float32))
        optimizer_D.zero_grad()
        z = torch.from_numpy(rng.standard_normal((4, 5)).astype(np.float32))
        fake_imgs = generator(z)
        alpha = torch.from_numpy(rng.random((4, 1, 1, 1)).astype(np.float32))
        gp = compute_gradient_penalty(discriminator, real_imgs.data, fake_imgs.data, alpha)
        d_loss = -torch.mean(discriminator(real_imgs)) + torch.mean(discriminator(fake_imgs)) + 10 * gp
        d_loss.backward()
        optimizer_D.step()
        optimizer_G.zero_grad()
        if i % 2 == 0:
            g_loss = -torch.mean(discriminator(generator(z)))
            g_loss.backward()
            optimizer_G.step()
            history.append(g_loss.item())
        history += [d_loss.item(), gp.item()]
    return history
