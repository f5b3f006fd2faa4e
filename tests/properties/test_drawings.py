"""Generated computations, drawn: each id that an edge names is declared, each number is the engine's, nothing crashes.

A world is a few rounds of forward and backward: models whose paths agree, modules called again, lists of modules,
recurrent cells, several losses, micro-batches, metrics, hooks, no_grad, steps of an optimizer between, infinities and
NaN, empty and 0-d arrays, a forward that fails. The gradients are captured aside, by hooks of the tensors.
"""

import contextlib
import functools
import html
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.viz.exercise import writing
from tensorgrad.viz.exercise.blank import marked
from tensorgrad.viz.exercise.masking import mask
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.fold import fold_modules
from tensorgrad.viz.graph.health import examine
from tensorgrad.viz.graph.layout import dot
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.page.encoding import encode
from tensorgrad.viz.record.graph_index import GraphIndex
from tensorgrad.viz.record.modules.find import find_modules

WIDTH = 3
UNARY = [tg.tanh, tg.exp, tg.relu, tg.sigmoid, tg.sqrt, tg.log, lambda x: 1.0 / x, lambda x: x * x, lambda x: -x]


class Net(nn.Module):
    """Layers in a list, a cell that is called again and again, and a block; a forward uses some of them."""

    def __init__(self, rng):
        self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(rng.integers(1, 4))])
        self.cell = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())
        self.block = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.ways = [int(rng.integers(4)) for _ in range(rng.integers(1, 4))]

    def forward(self, x):
        for way in self.ways:
            if way == 0:
                for layer in self.layers:
                    x = layer(x).tanh()
            elif way == 1:
                for _ in range(3):
                    x = self.cell(x) + 0.1
            elif way == 2:
                x = self.block(x) + x
            else:
                for layer in self.layers:
                    x = layer(x)
        return x


class World:
    """A computation to be drawn.

    `seen` holds, by the identity of a tensor that got a gradient, the tensor and the gradients that came to it.
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        tg.manual_seed(seed)
        self.seen, self.names, self.roots = {}, {}, []
        self.fails = self.rng.random() < 0.1

    def chance(self, part):
        return self.rng.random() < part

    def numbers(self, *shape):
        array = np.asarray(self.rng.standard_normal(shape) * 10.0 ** self.rng.integers(-2, 3), np.float32)
        if self.chance(0.15) and array.size:
            array.flat[self.rng.integers(array.size)] = self.rng.choice([np.inf, -np.inf, np.nan, 0.0, 1e38])
        return array

    def watch(self, tensor, name):
        """Capture every gradient that comes to the tensor, after what other hooks have made of it."""
        if self.chance(0.1):
            tensor.register_hook(lambda g: g * 2.0)
        parts = []
        tensor.register_hook(lambda g: parts.append(g.numpy().copy()))
        if tensor.name is None:
            tensor.name = f"{name}{len(self.seen)}"
        self.seen[id(tensor)] = (tensor, parts)
        return tensor

    def run(self):
        models = {name: Net(self.rng) for name in ("G", "D")[: self.rng.integers(1, 3)]}
        for model in models.values():
            for parameter in model.parameters():
                if self.chance(0.1):
                    parameter.data[:] = self.numbers(*parameter.shape)
                if self.chance(0.2):
                    parameter.grad = tg.tensor(self.numbers(*parameter.shape))
                if self.chance(0.05):
                    parameter.requires_grad = False
                else:
                    self.watch(parameter, "p")
        leaves = [self.watch(tg.tensor(self.numbers(*s), requires_grad=True), "w") for s in ((), (WIDTH,), (2, WIDTH))]
        loose = [self.watch(tg.tensor(self.numbers(0, WIDTH), requires_grad=True), "w")]
        with np.errstate(all="ignore"), tg.viz.trace() as trace:
            for _ in range(self.rng.integers(1, 4)):
                self.round(list(models.values()), leaves, loose)
            if self.fails:
                with contextlib.suppress(tg.ShapeError):
                    leaves[2] @ tg.ones(WIDTH + 1, 2)
        return trace, models

    def round(self, models, leaves, loose):
        """One forward and, mostly, one backward or several."""
        pool = [*leaves, tg.tensor(self.numbers(2, WIDTH))]
        for _ in range(self.rng.integers(2, 7)):
            x = pool[self.rng.integers(len(pool))]
            kind = self.rng.integers(6)
            if kind == 0 and x.ndim == 2:
                z = models[self.rng.integers(len(models))](x)
            elif kind == 1:
                z = x + pool[self.rng.integers(len(pool))]
            elif kind == 2:
                z = x * pool[self.rng.integers(len(pool))]
            elif kind == 3 and self.chance(0.5):
                with tg.no_grad():
                    z = x * 2.0
            elif kind == 4 and x.ndim == 2:
                z = x.reshape(WIDTH, 2).mT
            else:
                z = UNARY[self.rng.integers(len(UNARY))](x)
            if z.requires_grad and self.chance(0.6):
                self.watch(z, "z")
            pool.append(z)
        losses = []
        for _ in range(self.rng.integers(1, 3)):
            loss = sum((pool[k].sum() for k in self.rng.integers(len(pool), size=2)), leaves[0] * 1.0)
            if self.chance(0.2):
                loss = loss + (loose[0] * 2.0).sum()
            losses.append(self.watch(loss, "loss"))
        if self.chance(0.85):
            self.walk_back(losses)
        if self.chance(0.5):
            tg.softmax(pool[2] * 3.0, axis=-1)  # a metric, recorded and of no account
        if self.chance(0.3):
            with tg.no_grad():
                leaves[1].data[:] = leaves[1].data + 1.0

    def walk_back(self, losses):
        for loss in losses:
            seed = tg.tensor(np.float32(self.rng.choice([1.0, 0.5, -2.0])))
            loss.backward(seed, retain_graph=True)
            self.roots.append(loss)
        if self.chance(0.1):
            losses[-1].backward()
        if self.chance(0.2):
            for tensor, _ in self.seen.values():
                if tensor._node is None:
                    tensor.grad = None


# ----------------------------------------------------------------------------------------------------------- the checks


def ids_of_dot(text):
    """The nodes that a DOT text declares, as often as it does, and the ends of its edges."""
    nodes = Counter(re.findall(r'^\t+"?([a-z][\w-]*)"? \[', text, re.MULTILINE))
    edges = re.findall(r'^\t+"?([\w-]+)"? -> "?([\w-]+)"? \[', text, re.MULTILINE)
    return Counter({id: n for id, n in nodes.items() if id not in ("graph", "node", "edge")}), edges


def check_dot(record, folded):
    text = dot.write(record, folded)
    nodes, edges = ids_of_dot(text)
    assert set(nodes.values()) <= {1}
    assert {id for ends in edges for id in ends} <= nodes.keys()
    assert set(record.outputs) <= nodes.keys()
    assert max(Counter(re.findall(r'\bid="?([\w-]+)', text)).values()) == 1
    check_findings(record, folded, text)
    return text


def check_findings(record, folded, text):
    """A box says what is wrong with its own ops and layers, and nothing else."""
    graph = fold_view_ops(record)
    modules = find_modules(graph)
    found, wiring = examine(graph, modules), GraphIndex(graph)
    view = fold_modules(graph, modules, folded)
    labels = dict(re.findall(r'^\t+"?([\w-]+)"? \[label=(.*)$', text, re.MULTILINE))
    for box in view.modules:
        own = {*box.ops, *(id for op in box.ops for id in wiring.inputs(op))}
        # Whatever is drawn by itself isn't the box's to say.
        own |= {key for key, home in modules.calls.items() if set(modules.chain(key)) & set(box.calls)}
        for finding in found:
            said = html.escape(finding.text, quote=False) in labels[box.id]
            others = [f for f in found if f.text == finding.text and f.where in own]
            if said:
                assert others
            if finding.where in box.ops:
                assert said


def check_svg(drawing):
    root = ElementTree.fromstring(drawing.svg)
    groups = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class")]
    assert max(Counter(g.get("id") for g in groups).values()) == 1
    titles = {"node": [], "edge": [], "cluster": [], "graph": []}
    for group in groups:
        titles[group.get("class").split()[0]].append(group.find("{*}title").text)
    assert {end for title in titles["edge"] for end in title.split("->")} <= set(titles["node"])


def strictly(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def check_page(record, page):
    data = strictly(re.search(r'id="records">(.*?)</script>', page, re.DOTALL)[1])
    tensors, ops = {t["id"] for t in data["tensors"]}, {op["id"] for op in data["ops"]}
    assert len(tensors) == len(record.tensors)
    for edge in data.get("edges", ()):
        assert edge["tensor"] in tensors and edge["op"] in ops
    assert all(op["output"] in tensors for op in data["ops"] if "output" in op)
    assert str(Path(__file__).parent) not in page


def check_numbers(world, record, models):
    """What is drawn at a tensor is what its hook was given, over all walks back."""
    drawn = {tensor.name: tensor for tensor in record.tensors if tensor.name}
    parameters = [tensor.name for tensor in record.tensors if tensor.kind == "parameter" and tensor.name]
    assert len(set(parameters)) == len(parameters)
    owners = {id(p): (name, path) for name, model in models.items() for path, p in model.named_parameters()}
    for tensor, parts in world.seen.values():
        name = tensor.name
        if id(tensor) in owners:
            model, path = owners[id(tensor)]
            name = f"{model}.{path}" if f"{model}.{path}" in drawn else path
            if name == path and name in drawn and len(models) == 2:
                others = [m for m in models if m != model]
                assert not any(f"{other}.{path}" in drawn for other in others)
                if close_names(owners, drawn, path) > 1:
                    continue
        if name not in drawn or not world.roots or world.fails:
            continue
        gradient = drawn[name].gradient
        if not parts:
            continue
        assert gradient is not None, name
        with np.errstate(all="ignore"):
            # In float32, as `.grad` adds up: what is too large for it is infinite.
            total = np.asarray(functools.reduce(np.add, parts), np.float64)
            if gradient.value is not None and np.isfinite(total):
                assert abs(gradient.value - total) <= 2e-5 * np.sum(np.abs(parts), dtype=np.float64), name
            elif gradient.value is not None:
                np.testing.assert_equal(gradient.value, total.item(), name)
            elif np.isfinite(total).all():
                size = max(np.sum(np.abs(parts), dtype=np.float64), 1e-30)
                assert abs(gradient.mean_abs * total.size - np.abs(total).sum()) <= 2e-5 * size, name
            else:
                assert not np.isfinite(gradient.mean_abs), name
                assert gradient.statistics.nans == np.isnan(total).sum(), name


def close_names(owners, drawn, path):
    """How many models could be meant by a path that is drawn without the name of one."""
    return sum(1 for _, other in owners.values() if other == path)


def check_sums(record):
    """The contributions that are drawn add up to the gradient, unless the record says why not."""
    for tensor in record.tensors:
        parts = [edge.contribution for edge in record.edges if edge.tensor == tensor.id and edge.contribution]
        if tensor.kind != "output" and not tensor.altered and parts and tensor.gradient and tensor.shape == ():
            values = [part.value for part in parts]
            with np.errstate(all="ignore"):
                error = abs(sum(values) - tensor.gradient.value)
            assert not error > 1e-5 * sum(map(abs, values)) + 1e-30


def check_exercise(drawing, seed):
    """Every blank is drawn, and its question can be written down; a graph without a question says so."""
    try:
        sheet = drawing.exercise(blank=1.0, seed=seed)
    except tg.GraphError as error:
        assert "nothing in this graph can be asked for" in str(error)
        return
    encode([writing.plain(number, blank) for number, blank in enumerate(sheet.blanks)])
    text = dot.write(mask(drawing.record, sheet.blanks, marked), drawing.folded, findings=())
    assert all(marked(number, blank.answer) in text for number, blank in enumerate(sheet.blanks))


def check_lanes(record, text):
    broken = [e for e in record.edges if e.contribution is not None and not np.isfinite(e.contribution.mean_abs)]
    assert (theme.NOT_FINITE in text) == bool(broken) or any(
        t.gradient is not None and not np.isfinite(t.gradient.mean_abs) for t in record.tensors
    )


@pytest.mark.seeds(40)
def test_a_drawing_says_what_ran_and_nothing_else(seed):
    world = World(seed)
    trace, models = world.run()
    if seed % 2:  # else no variable tells their names, and they are called by class and number
        G, D = models["G"], models.get("D")
        assert G is not D
    with np.errstate(all="ignore"):
        drawing = tg.viz.graph(trace, check=seed % 2 == 0)
        record = drawing.record
        if world.roots and not world.fails:
            assert sorted(t.name for t in record.tensors if t.kind == "output") == sorted({r.name for r in world.roots})
        check_numbers(world, record, models)
        check_sums(record)
        paths = list(find_modules(fold_view_ops(record)).kinds)
        some = [path for path in paths if world.chance(0.4)]
        texts = [check_dot(record, folded) for folded in (drawing.folded, (), paths, some)]
        check_lanes(record, texts[1])
        check_exercise(drawing, seed)
        check_page(record, drawing.html if seed % 8 == 0 else dot_free_page(record))
        if seed % 8 == 0 and shutil.which("dot"):
            check_svg(drawing)
        assert tg.viz.text(trace, width=100)
        for root in world.roots[:1]:
            assert root.name in {t.name for t in tg.viz.graph(trace, output=root).record.tensors if t.kind == "output"}
        if world.roots and not world.fails:
            explain_one(world, trace, record)


def dot_free_page(record):
    from tensorgrad.viz import page

    return page.write(record, column.draw(record))


def explain_one(world, trace, record):
    """An explanation of a parameter that got a gradient, where there is one and its steps can be run again."""
    for tensor, parts in world.seen.values():
        if parts and tensor._node is None and tensor.size:
            try:
                found = tg.viz.explain(trace, wrt=tensor, index=(0,) * tensor.ndim, max_paths=2, check=False)
            except tg.GraphError as error:
                assert "was changed" in str(error) or "no gradient flows" in str(error), error
                return
            assert found.text(80) and found.latex
            return
