"""What ours and NumPy's functions make of the same arguments: the same, or an error of tensorgrad's."""

import numpy as np

import tensorgrad as tg


def result_of(call):
    """What a call gives, or the error it raises."""
    try:
        with np.errstate(all="ignore"):
            return call(), None
    except Exception as error:
        return None, error


def assert_same_or_refused(ours, numpys, must_answer=False):
    """Ours equals NumPy's, or is an error of tensorgrad's; `must_answer`: where NumPy answers, so do we."""
    expected, refusal = result_of(numpys)
    z, error = result_of(ours)
    if error is not None:
        assert isinstance(error, tg.TensorgradError), f"bare {type(error).__name__}: {error}"
        assert len(str(error).splitlines()) > 1, "an error restates the call"
        assert not must_answer or refusal is not None, f"NumPy gives {expected!r}, we raise {error}"
        return False
    assert refusal is None, f"NumPy raises {refusal}, we give {z!r}"
    if isinstance(expected, list):
        assert len(z) == len(expected)
        for ours, numpys in zip(z, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(ours), numpys, strict=True)
        return True
    if isinstance(expected, tuple):
        assert len(z) == len(expected)
        for ours, numpys in zip(z, expected, strict=True):
            assert np.asarray(ours).dtype == np.asarray(numpys).dtype
            np.testing.assert_allclose(np.asarray(ours), numpys, rtol=1e-6, atol=1e-9)
            assert np.shape(ours) == np.shape(numpys)
        return True
    z = np.asarray(z)
    np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-9)
    assert np.shape(z) == np.shape(expected)
    return True
