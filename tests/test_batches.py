"""Batches of cases: every case runs, every failing one is named, and can be run alone."""

import pytest

pytest_plugins = ["pytester"]

NUMBERS = """
import pytest

def test_of_one_case():
    pass

@pytest.mark.cases("k", range(250), ids=lambda k: f"number-{k}")
def test_numbers(k):
    if k == 3:
        pytest.skip("not this one")
    assert k not in (7, 120, 121), f"{k} is wrong"
    if k == 122:
        with pytest.raises(ValueError):
            pass
"""

PROPERTY = """
import pytest

@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.seeds(25)
def test_property(seed, way):
    assert (seed, way) != (14, "down")

@pytest.mark.seeds(3)
def test_with_files(seed, tmp_path):
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
"""


@pytest.fixture
def run(pytester):
    """Runs pytest on a test file with the options given, in this process."""

    def run(source, *options):
        pytester.makepyfile(test_it=source)
        return pytester.runpytest_inprocess("-p", "batches", "-p", "no:cacheprovider", "--strict-markers", *options)

    pytester.makeini("[pytest]\nmarkers =\n    cases: many\n    seeds: many\n")
    return run


def test_all_failing_cases_are_named_and_the_others_run(run):
    result = run(NUMBERS)
    result.assert_outcomes(passed=2, failed=2)
    output = result.stdout.str()
    assert "case: number-7, alone: pytest 'test_it.py::test_numbers[number-7]' --case 'number-7'" in output
    assert "3 of 100 cases failed: number-120, number-121, number-122 " in output
    assert "7 is wrong" in output and "121 is wrong" in output and "DID NOT RAISE" in output
    assert "alone: pytest 'test_it.py::test_numbers[number-121]' --case 'number-121'" in output
    assert "251 cases ran, in 4 items" in output


def test_a_case_runs_alone(run):
    result = run(NUMBERS, "--case", "number-121")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*test_numbers?number-121?*", "*121 is wrong*"])
    run(NUMBERS, "--case", "number-1?").assert_outcomes(passed=1, deselected=1)
    run(NUMBERS, "--case", "number-3").assert_outcomes(skipped=1, deselected=1)


def test_seeds_are_batched_with_each_value_of_other_parameters(run):
    result = run(PROPERTY)
    result.assert_outcomes(passed=8, failed=1)
    output = result.stdout.str()
    assert "alone: pytest 'test_it.py::test_property[14-down]' --case '14' --seeds 15" in output
    assert "53 cases ran, in 9 items" in output
    run(PROPERTY, "test_it.py::test_property[14-down]", "--case", "14", "--seeds", "15").assert_outcomes(failed=1)
    run(PROPERTY, "--case", "14", "--seeds", "15").assert_outcomes(passed=2, failed=1)


def test_two_cases_of_one_name_are_refused(run):
    result = run('import pytest\n@pytest.mark.cases("k", [1, 1])\ndef test_k(k): pass')
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_k: two of its cases have one name; fix: pass ids that differ*"])
