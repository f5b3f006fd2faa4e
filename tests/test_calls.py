"""The Python calls that ops make, counted: the engine's overhead, held without a clock."""

import pytest

from benchmarks import calls

LIMITS = {
    "add (8, 8), forward": 10,
    "linear (8, 8), forward": 15,
    "conv2d, forward": 30,
    "conv2d, backward": 80,
    "max_pool2d, forward": 20,
}


@pytest.mark.parametrize("row", LIMITS)
def test_an_op_makes_no_more_calls_than_it_needs(row):
    counted = calls.cases()[row]()
    assert counted.total() <= LIMITS[row], counted.most_common()


def test_calls_are_counted_and_those_of_the_script_left_out():
    def inner():
        return 1

    def prepare():
        inner()

    found = calls.count(lambda: [len([]), inner(), inner()], prepare)
    assert found.total() == 3 and found.most_common(1)[0][1] == 2
    assert all(key.startswith("test_calls.py: ") for key in found)
