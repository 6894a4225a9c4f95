"""A gradient that is wrong in one place: exit code 1, and the parameter is named.

    lsm-verify check examples.wrong_gradient:problem

A lumped heat capacity C [J m⁻² K⁻¹] cools towards the air through a transfer coefficient h
[W m⁻² K⁻¹]; the objective is the misfit to observed temperatures. The rate of cooling is h/C, so
the derivative by C is that by the rate times -h/C²: the minus was forgotten. ∂J/∂C is 15,000 times
smaller than ∂J/∂h only because of its unit, and a test along an unscaled direction hardly sees it.
"""

import numpy as np

import lsm_verify

TIMES = np.arange(1, 25) * 3600.0
AIR, START = 288.0, 303.0
OBSERVED = AIR + (START - AIR) * np.exp(-TIMES * 11.0 / 2.4e5)


def cooling(parameters):
    """Temperature [K] at every time, and the rate h/C [1/s]."""
    rate = parameters["h"] / parameters["C"]
    return AIR + (START - AIR) * np.exp(-rate * TIMES), rate


def misfit(parameters):
    """Half the sum of squared residuals [K²]."""
    temperature, _ = cooling(parameters)
    return 0.5 * np.sum((temperature - OBSERVED) ** 2)


def gradient(parameters):
    """Differentiate the misfit: right by h, of the wrong sign by C."""
    temperature, rate = cooling(parameters)
    by_rate = np.sum((temperature - OBSERVED) * -TIMES * (temperature - AIR))
    return {
        "h": by_rate / parameters["C"],
        "C": by_rate * rate / parameters["C"],  # the minus is missing
    }


problem = lsm_verify.Problem(
    misfit, {"h": 15.0, "C": 2.2e5}, gradients={"mine": gradient}, name="cooling"
)
