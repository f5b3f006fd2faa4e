"""Arrays whose axes lie in another order: sums follow the order of memory, so results are laid out alike everywhere."""

import numpy as np
import pytest
from compiling import assert_same, captures, numbers

import tensorgrad as tg

FUNCTIONS = {
    "arithmetic": lambda x, y: (x.T + y.T) * 3 - x.T / 1.7,
    "broadcast": lambda x, y: x.T * y.mean(1) + 2,
    "joined": lambda x, y: tg.cat([x.T, y.T]),
    "a copy": lambda x, y: (x.T + y.T).clone(),
    "einsum": lambda x, y: tg.einsum("ij,ij->ji", x, y),
    "einsum of one": lambda x, y: tg.einsum("ij->ji", x) * 2,
    "activation": lambda x, y: tg.relu(x.T) + tg.sigmoid(y.T),
}


@pytest.mark.parametrize("shape", [(200, 90), (64, 80), (7, 9), (3, 1500)], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_sums_keep_their_bits(name, shape):
    def sums(x, y):
        z = FUNCTIONS[name](x, y)
        return z.sum(0), z.mean(1), z.sum(), z.var(0)

    compiled, rng = tg.compile(sums), np.random.default_rng(0)
    with tg.no_grad():
        for k in range(8):
            x, y = (tg.tensor((rng.standard_normal(shape) * 10.0 ** (k % 4)).astype(np.float32)) for _ in "xy")
            assert_same(*[[numbers(z) for z in function(x, y)] for function in (sums, compiled)])
    assert compiled.replays == 6


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_contiguous(name):
    x, y = tg.rand(3, 4), tg.rand(3, 4)
    for function in (FUNCTIONS[name], tg.compile(FUNCTIONS[name])):
        for _ in range(5):
            assert function(x, y).is_contiguous()


def test_einsum_is_contiguous_where_it_is_no_view():
    x, y = tg.rand(5, 4, requires_grad=True), tg.rand(4, 6)
    for function in (lambda: tg.einsum("ij,kj->ikj", x, y.T), tg.compile(lambda: tg.einsum("ij,kj->ikj", x, y.T))):
        for _ in range(5):
            z = function()
            assert z.is_contiguous() and np.shares_memory(z[1:].data, z.data)


def test_a_view_stays_one():
    x = tg.rand(3, 4)
    assert np.shares_memory(x.T.numpy(), x.numpy()) and not x.T.is_contiguous()


VIEWS = {
    "transposed": lambda z: z.T,
    "a slice": lambda z: z[2:, ::3],
    "backwards": lambda z: np.flip(z, 0).permute(1, 0),
    "broadcast": lambda z: z[:1].expand(5, 40),
    "windows": lambda z: z.unfold(0, 3, 2),
    "empty": lambda z: z[:0, :1].expand(0, 40),
    "whole": lambda z: z,
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_that_a_capture_returns_is_laid_out_alike(name):
    def views(x):
        return VIEWS[name]((x * 2).tanh())

    compiled, rng = tg.compile(views), np.random.default_rng(0)
    with tg.no_grad():
        for _ in range(6):
            x = tg.tensor((rng.standard_normal((30, 40)) * 100).astype(np.float32))
            one, other = views(x), compiled(x)
            assert other.data.strides == one.data.strides
            assert other.data.flags.writeable == one.data.flags.writeable
            assert_same(*[[numbers(z), *(numbers(z.sum(k)) for k in range(z.ndim))] for z in (one, other)])
    assert captures(compiled)


def change(y):
    y[0] = 5.0
    return y


# A function may do one thing with a contiguous tensor, and another with one that isn't.
BY_LAYOUT = {
    "contiguous": lambda x: (lambda y: (y[1:], y.exp()))(x.contiguous()),
    "changed": lambda x: change(x.contiguous()).exp(),
    "asked": lambda x: x.exp() if x.is_contiguous() else -x,
    "asked of a view": lambda x: x.exp() if x.T.is_contiguous() else -x,
    "in a row": lambda x: x.ravel()[2:] * 2,
    "reshaped": lambda x: (lambda y: (y, y.exp()))(x.reshape(-1)),
}
LAYOUTS = {
    "rows": lambda a: a,
    "columns": np.asfortranarray,
    "steps": lambda a: np.repeat(a, 2, 1)[:, ::2],
    "backwards": lambda a: a[::-1],
}


@pytest.mark.filterwarnings("ignore:compile")  # a change of an argument runs op by op
@pytest.mark.parametrize("where", ["argument", "leaf"])
@pytest.mark.parametrize("name", BY_LAYOUT)
def test_what_depends_on_the_layout_is_decided_in_each_call(name, where):
    leaf, rng = tg.zeros(4, 3, dtype="float64"), np.random.default_rng(0)
    function = BY_LAYOUT[name] if where == "argument" else lambda: BY_LAYOUT[name](leaf)
    compiled = tg.compile(function)
    with tg.no_grad():
        for layout in ["rows"] * 4 + ["columns"] * 4 + ["steps", "backwards", "rows", "columns"] + ["rows"] * 4:
            values, found = LAYOUTS[layout](rng.standard_normal((4, 3))), []
            for call in (function, compiled):
                given = tg.from_numpy(values.copy("K"))
                leaf.data = given.data
                results = call(given) if where == "argument" else call()
                results = results if isinstance(results, tuple) else (results,)
                found.append([(numbers(z), z.data.strides, np.shares_memory(z.data, given.data)) for z in results])
                found[-1].append(numbers(given))
            assert_same(*found)
    assert compiled.replays or name == "changed"


def test_asking_for_the_layout_leaves_no_step_to_a_capture():
    compiled = tg.compile(lambda x: (x * 2).T.contiguous().tanh())
    with tg.no_grad():
        for _ in range(6):
            compiled(tg.ones(30, 40))
    assert captures(compiled) and not [part for part in captures(compiled)[0]._units if hasattr(part, "sources")]
