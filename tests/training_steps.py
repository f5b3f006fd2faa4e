"""Training steps that call `zero_grad`, `backward` and `step` in different orders, for tests of compiled functions."""

from tensorgrad import nn


def momentum(parameters):
    return nn.optim.SGD(parameters, lr=lambda step: 0.1 / (step + 1), momentum=0.9)


def begins(optimizer, loss):
    """The usual order of a step's parts."""
    optimizer.zero_grad()
    result = loss()
    result.backward()
    optimizer.step()
    return result


def between(optimizer, loss):
    result = loss()
    optimizer.zero_grad()
    result.backward()
    optimizer.step()
    return result


def ends(optimizer, loss):
    result = loss()
    result.backward()
    optimizer.step()
    optimizer.zero_grad()
    return result


def zeros(optimizer, loss):
    optimizer.zero_grad(set_to_none=False)
    result = loss()
    result.backward()
    optimizer.step()
    return result


def adds_up(optimizer, loss):
    result = loss()
    result.backward()
    optimizer.step()
    return result


def clips(optimizer, loss):
    optimizer.zero_grad()
    result = loss()
    result.backward()
    nn.optim.clip_grad_norm_(optimizer.named_parameters().values(), 0.01)
    nn.optim.clip_grad_value_(optimizer.named_parameters().values(), 0.001)
    optimizer.step()
    return result


def goes_back_twice(optimizer, loss):
    optimizer.zero_grad()
    first = loss()
    first.backward()
    second = loss() * 2
    second.backward()
    optimizer.step()
    return first + second.detach()


ORDERS = [begins, between, ends, zeros, adds_up, clips]


def stepping(w, optimizer, scale=1.0):
    def step(x):
        optimizer.zero_grad()
        loss = (w * x).exp().sum() * scale
        loss.backward()
        optimizer.step()
        return loss

    return step
