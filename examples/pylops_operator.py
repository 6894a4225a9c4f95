"""A PyLops operator and its adjoint, under the dot-product test.

    pip install pylops
    lsm-verify check examples.pylops_operator:problem

A wavelet is convolved with the first derivative of a signal, the chain that models a seismic trace.
PyLops wrote both operators, their adjoints and the product. ``fourier`` is a complex operator: its
vectors are stacked to real and imaginary parts.
"""

import numpy as np
import pylops

import lsm_verify

SIZE = 200
wavelet = np.exp(-(np.linspace(-3.0, 3.0, 31) ** 2))

modelling = pylops.signalprocessing.Convolve1D(SIZE, wavelet, offset=15) @ pylops.FirstDerivative(
    SIZE, kind="centered", edge=True
)

problem = lsm_verify.Problem.from_operator(modelling, name="convolved derivative")
fourier = lsm_verify.Problem.from_operator(
    pylops.signalprocessing.FFT(SIZE, real=True), name="Fourier transform"
)
