"""Reinforcement learning: deep Q with replay and a target network, actor and critic, the clipped objective of PPO."""

import random
from collections import deque, namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical, Normal

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))


class ReplayMemory(object):
    def __init__(self, capacity):
        self.memory = deque([], maxlen=capacity)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, batch_size):
        return random.sample(self.memory, batch_size)

    def __len__(self):
        return len(self.memory)


class DQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super(DQN, self).__init__()
        self.layer1 = nn.Linear(n_observations, 16)
        self.layer2 = nn.Linear(16, 16)
        self.adv, self.val = nn.Linear(16, n_actions), nn.Linear(16, 1)

    def forward(self, x):
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        a = self.adv(x)
        return self.val(x) + a - a.mean(dim=1, keepdim=True)


class ActorCritic(nn.Module):
    def __init__(self, s, a):
        super().__init__()
        self.affine = nn.Linear(s, 16)
        self.action_head, self.value_head = nn.Linear(16, a), nn.Linear(16, 1)
        self.log_std = nn.Parameter(torch.zeros(2))
        self.saved_actions, self.rewards = [], []

    def forward(self, x):
        x = torch.tanh(self.affine(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def models():
    target = DQN(4, 2)
    policy = DQN(4, 2)
    return [policy, target, ActorCritic(4, 3)]


BATCH_SIZE, GAMMA, TAU = 8, 0.99, 0.005


def train(policy_net, target_net, ac):
    random.seed(1)
    rng = np.random.default_rng(0)
    target_net.load_state_dict(policy_net.state_dict())
    optimizer = optim.AdamW(policy_net.parameters(), lr=1e-3, amsgrad=True)
    memory = ReplayMemory(100)
    hist = []
    device = torch.device("cpu")

    def optimize_model():
        if len(memory) < BATCH_SIZE:
            return None
        batch = Transition(*zip(*memory.sample(BATCH_SIZE)))
        non_final_mask = torch.tensor(
            tuple(map(lambda s: s is not None, batch.next_state)), device=device, dtype=torch.bool
        )
        non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
        state_batch, action_batch, reward_batch = (
            torch.cat(batch.state),
            torch.cat(batch.action),
            torch.cat(batch.reward),
        )
        state_action_values = policy_net(state_batch).gather(1, action_batch)
        next_state_values = torch.zeros(BATCH_SIZE, device=device)
        with torch.no_grad():
            next_state_values[non_final_mask] = target_net(non_final_next_states).max(1).values
        expected = (next_state_values * GAMMA) + reward_batch
        criterion = nn.SmoothL1Loss()
        loss = criterion(state_action_values, expected.unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
        optimizer.step()
        return loss.item()

    state = torch.tensor(rng.standard_normal(4), dtype=torch.float32, device=device).unsqueeze(0)
    for t in range(20):
        if random.random() > 0.3:
            with torch.no_grad():
                action = policy_net(state).max(1).indices.view(1, 1)
        else:
            action = torch.tensor([[random.randrange(2)]], device=device, dtype=torch.long)
        obs, reward = rng.standard_normal(4), float(action.item())
        reward = torch.tensor([reward], device=device)
        nxt = None if t % 5 == 4 else torch.tensor(obs, dtype=torch.float32, device=device).unsqueeze(0)
        memory.push(state, action, nxt, reward)
        state = nxt if nxt is not None else torch.tensor(rng.standard_normal(4), dtype=torch.float32).unsqueeze(0)
        l = optimize_model()
        if l is not None:
            hist.append(l)
        td, pd = target_net.state_dict(), policy_net.state_dict()
        for key in pd:
            td[key] = pd[key] * TAU + td[key] * (1 - TAU)
        target_net.load_state_dict(td)

    # double DQN with a compiled step and batches as arguments
    opt2 = optim.RMSprop(policy_net.parameters(), lr=1e-3)

    def ddqn(s, a, r, s2, done):
        with torch.no_grad():
            best = policy_net(s2).argmax(dim=1, keepdim=True)
            q2 = target_net(s2).gather(1, best).squeeze(1)
            y = r.clamp(-1, 1) + GAMMA * q2 * (1 - done)
        q = policy_net(s).gather(1, a.long().unsqueeze(1)).squeeze(1)
        loss = F.huber_loss(q, y)
        opt2.zero_grad()
        loss.backward()
        for param in policy_net.parameters():
            param.grad.data.clamp_(-1, 1)
        opt2.step()
        return loss, (q - y).abs().detach()

    for i in range(6):
        f = lambda *s: torch.FloatTensor(rng.standard_normal(s))
        l, td = ddqn(
            f(8, 4), torch.LongTensor(rng.integers(0, 2, 8)), f(8), f(8, 4), torch.FloatTensor(rng.integers(0, 2, 8))
        )
        hist += [l.item(), td.max().item()]

    # actor critic, REINFORCE with baseline
    opt3 = optim.Adam(ac.parameters(), lr=3e-2)
    eps = np.finfo(np.float32).eps.item()
    for ep in range(2):
        for _ in range(5):
            s = torch.from_numpy(rng.standard_normal(4)).float()
            probs, v = ac(s)
            m = Categorical(probs)
            a = torch.tensor(int(rng.integers(0, 3)))
            ac.saved_actions.append((m.log_prob(a), v, m.entropy()))
            ac.rewards.append(float(rng.random()))
        R, returns = 0, []
        for r in ac.rewards[::-1]:
            R = r + 0.99 * R
            returns.insert(0, R)
        returns = torch.tensor(returns)
        returns = (returns - returns.mean()) / (returns.std() + eps)
        pl, vl = [], []
        for (lp, v, e), R in zip(ac.saved_actions, returns):
            adv = R - v.item()
            pl.append(-lp * adv - 0.01 * e)
            vl.append(F.smooth_l1_loss(v, torch.tensor([R])))
        opt3.zero_grad()
        loss = torch.stack(pl).sum() + torch.stack(vl).sum()
        loss.backward()
        opt3.step()
        hist.append(loss.item())
        del ac.rewards[:]
        del ac.saved_actions[:]

    # PPO's clipped surrogate
    def ppo(s, a, old, adv, ret):
        p, v = ac(s)
        dist = Categorical(p)
        ratio = torch.exp(dist.log_prob(a) - old)
        s1, s2 = ratio * adv, torch.clamp(ratio, 0.8, 1.2) * adv
        cont = Normal(v.expand(-1, 2), ac.log_std.exp()).log_prob(s[:, :2]).sum(-1)
        loss = (
            -torch.min(s1, s2).mean()
            + 0.5 * (ret - v.squeeze(-1)).pow(2).mean()
            - 0.01 * dist.entropy().mean()
            - 0.1 * cont.mean()
        )
        opt3.zero_grad()
        loss.backward()
        opt3.step()
        return loss

    s = torch.tensor(rng.standard_normal((6, 4)), dtype=torch.float32)
    a = torch.tensor(rng.integers(0, 3, 6))
    with torch.no_grad():
        old = ac(s)[0].gather(1, a[:, None]).squeeze(1).log()
    adv, ret = torch.tensor(rng.standard_normal(6)).float(), torch.tensor(rng.standard_normal(6)).float()
    for _ in range(5):
        hist.append(ppo(s, a, old, adv, ret).item())
    return hist
