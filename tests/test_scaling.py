"""The model of a cluster: its formula, by hand, and the table on the page."""

from pathlib import Path

import numpy as np

from benchmarks.scaling.cluster import NETWORKS, Model, Network, efficiency, exchange, farthest, table

PAGE = Path(__file__).parent.parent / "docs" / "distributed.md"
MODELS = [
    Model("LeNet-5", 61_706, 3.4e-3),
    Model("ResNet-20", 272_474, 93e-3),
    Model("VGG-16", 138_357_544, 3.0),
]


def test_the_formula():
    network, model = Network("", 1e9, 1e-3), Model("", 250_000_000, 2.0)  # a gigabyte, a second to send it
    # 2 · 3/4 of a second, 6 messages of the ring, 2 · 2 of the agreements
    assert np.isclose(exchange(model, network, 4), 1.5 + 6e-3 + 4e-3)
    assert np.isclose(efficiency(model, network, 4), 2 / 3.51)
    assert np.isclose(efficiency(model, network, 4, overlapped=True), 2 / (2 / 3 + 1.51))
    assert exchange(model, network, 1) == 0 and efficiency(model, network, 1) == 1
    assert farthest(model, network, 0.6) == 2 and farthest(model, network, 0.99) == 1


def test_the_table_on_the_page():
    assert table(MODELS) in PAGE.read_text(encoding="utf-8")
    assert [network.name for network in NETWORKS] == ["1 GbE", "10 GbE", "100 Gb InfiniBand"]
