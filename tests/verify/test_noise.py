import numpy as np
import pytest

from lsm_verify.verify.noise import POINTS, ecnoise

SPACING = 1e-8
"""Between the points: over a line of 8e-8 a smooth function is almost straight."""

FACTOR = 4.0
"""How well nine points know a standard deviation, in the worst of 200 draws."""

SMOOTH = {
    "exp": np.exp,
    "sin": np.sin,
    "cubic": lambda x: x**3 - 2 * x**2 + x - 5,
    "quotient": lambda x: 1 / (1 + x**2),
    "line": lambda x: 3 * x + 1,
    "constant": lambda x: np.full_like(x, 2.0),
}


@pytest.mark.parametrize("sigma", [1e-12, 1e-8, 1e-4, 1e-1])
@pytest.mark.parametrize("name", SMOOTH)
def test_known_noise_is_found(name, sigma):
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-2, 2) + SPACING * np.arange(POINTS)
        values = SMOOTH[name](x) + sigma * np.sqrt(3) * rng.uniform(-1, 1, POINTS)
        assert sigma / FACTOR < ecnoise(values) < sigma * FACTOR, seed


@pytest.mark.parametrize("digits", [4, 8, 12])
def test_rounding_is_noise(digits):
    """Rounding to a step q leaves an error that is uniform in ±q/2: its deviation is q/√12."""
    sigma = 10.0**-digits / np.sqrt(12)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        # Differences of order 3 and more of a parabola are nothing but its rounding.
        x = rng.uniform(0, 1) + 0.1 * np.arange(POINTS)
        noise = ecnoise(np.round(np.pi * x**2 + np.sqrt(2) * x, digits))
        assert sigma / FACTOR < noise < sigma * FACTOR, seed


def test_single_precision():
    """The noise of a sum in single precision is of the size of that format's epsilon."""
    x = np.float32(1.0) + 1e-5 * np.arange(POINTS, dtype=np.float32)
    values = np.array([np.sum(np.sin(t * np.arange(1, 200, dtype=np.float32))) for t in x])
    # A smooth part remains here: what is found must not understate the rounding.
    assert ecnoise(values.astype(np.float64)) > np.finfo(np.float32).eps / FACTOR


def test_no_noise():
    assert ecnoise(np.full(POINTS, 3.0)) == 0.0


def test_scales_with_the_function():
    rng = np.random.default_rng(0)
    values = 1.0 + 1e-6 * rng.uniform(-1, 1, POINTS)
    assert ecnoise(1e3 * values) == pytest.approx(1e3 * ecnoise(values), rel=1e-6)


def test_does_not_understate_where_nothing_agrees():
    """A jump has no noise level; the estimate then is at least as large as what nine points say."""
    values = np.where(np.arange(POINTS) < POINTS // 2, 0.0, 1.0)
    assert ecnoise(values) > 0.1
