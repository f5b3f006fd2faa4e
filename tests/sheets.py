"""Graphs to practise on, as drawings of traced steps."""

import numpy as np

import tensorgrad as tg
from tensorgrad import nn


def drawn(run, **options):
    """The drawing of a traced step; `run` returns the loss."""
    with tg.viz.trace() as step:
        run().backward()
    return tg.viz.graph(step, **options)


def number(value, name=None, learned=True):
    return tg.tensor(value, dtype="float64", requires_grad=learned, name=name)


def neuron():
    """One neuron with a squared error and a penalty: w is used twice."""
    x, w, b = number(0.5, "x", learned=False), number(-1.2, "w"), number(0.3, "b")
    h = (w * x + b).sigmoid()
    return (h - 1.0) ** 2 + 0.1 * w**2


def shared():
    """A number that is used in three ways, and results without a name."""
    a, b = number(1.7, "a"), number(-0.6, "b_1")
    return ((a * b).tanh() + a.exp() / (a + 2.0)) * (b * b + tg.log(a))


def perceptron():
    """Two layers of arrays with cross-entropy."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    return nn.cross_entropy(model(tg.randn(4, 3)), tg.tensor([0, 1, 1, 0]))


def convolutions():
    """Images, a matrix product, means and powers: shapes to ask for."""
    rng = np.random.default_rng(0)
    w = tg.tensor(rng.standard_normal((3, 1, 3, 3)), requires_grad=True, name="w")
    v = tg.tensor(rng.standard_normal((27, 2)), requires_grad=True, name="v")
    h = tg.max_pool2d(tg.relu(tg.conv2d(tg.tensor(rng.standard_normal((2, 1, 6, 6))), w, padding=1)), 2)
    return ((h.flatten(1) @ v).tanh().mean(0) ** 3).sum()


def many_convolutions():
    """A column of ops with parameters: the sheet that takes most space on paper."""
    tg.manual_seed(0)
    return nn.Sequential(*[nn.Conv2d(1, 1, 3, padding=1) for _ in range(20)])(tg.randn(2, 1, 32, 32)).mean()


GRAPHS = {"neuron": neuron, "shared": shared, "perceptron": perceptron, "convolutions": convolutions}


def program(seed):
    """A generated program of numbers: each result is made of earlier ones, and all of them lead to the loss."""
    rng = np.random.default_rng(seed)
    unary = [tg.tanh, tg.sigmoid, tg.relu, tg.exp, tg.sin, lambda x: x * 2.0, lambda x: x**2, lambda x: -x, tg.square]
    binary = [tg.add, tg.multiply, tg.subtract, lambda x, y: x / (y * y + 1.0)]

    def run():
        pool = [number(rng.uniform(-1.5, 1.5), f"a{k}", learned=bool(k) or rng.random() < 0.5) for k in range(3)]
        for _ in range(rng.integers(2, 7)):
            x, y = (pool[k] for k in rng.integers(len(pool), size=2))
            pool.append(unary[rng.integers(len(unary))](x) if rng.random() < 0.5 else binary[rng.integers(4)](x, y))
        used = [x for x in pool[3:] if x.requires_grad]
        return sum(used[1:], used[0] * 1.0) if used else pool[1] * pool[2]

    return run


# What a test may use of a page's program.
INNER = "globalThis.inner = { check, read, evaluate, FUNCTIONS, Misread, blanks };"


def opened(page):
    """The page of an exercise, whose program shows a test its functions."""
    end = "\nstart();\n})();"
    assert page.count(end) == 1
    return page.replace(end, f"\n{INNER}{end}")
