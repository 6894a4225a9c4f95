"""Twenty planted errors, the right gradients beside them, and two with nothing to conclude."""

from __future__ import annotations

import numpy as np

from tests.peers import build, column, slab, textbook
from tests.peers.problem import Group, Problem

HEAT_CAPACITY = "volumetric_heat_capacity"
HEAT_TRANSFER = "heat_transfer_coefficient"

FACTORS: dict[str, tuple[str, dict[str, float]]] = {
    "heat-capacity-halved": ("column: ∂J/∂C halved", {HEAT_CAPACITY: 0.5}),
    "heat-capacity-detached": ("column: ∂J/∂C zero (detached)", {HEAT_CAPACITY: 0.0}),
    "heat-capacity-flipped": ("column: ∂J/∂C of the wrong sign", {HEAT_CAPACITY: -1.0}),
    "too-large": ("column: gradient 0.01 % too large", dict.fromkeys(column.start(), 1.0001)),
    "chain-rule": (
        "column: factor 1 + 1/β missing in ∂J/∂h",
        {HEAT_TRANSFER: 1 / (1 + 1 / float(column.start()["bowen_ratio"]))},
    ),
}

ROSEN = (textbook.rosen, textbook.rosen_der)

SLAB: dict[str, tuple[str, dict[str, object]]] = {
    "emission-dropped": ("layer: 4εσT³ missing in the adjoint", {"emission": 0.0}),
    "emission-of-one-step": (
        "layer: 4εσT³ missing in 1 of 60 steps",
        {"emission": np.where(np.arange(slab.STEPS.size) == 40, 0.0, 1.0)},
    ),
    "stale-state": ("layer: linearised one step late", {"shift": 1}),
    "first-step": (
        "layer: first Δt used for all steps",
        {"steps": np.full(slab.STEPS.size, slab.STEPS[0])},
    ),
    "neighbouring-step": (
        "layer: Δt of the neighbouring step",
        {"steps": np.roll(slab.STEPS, 1)},
    ),
    "gradient-in-float32": ("layer: gradient in float32, J in float64", {"dtype": np.float32}),
}


def errors() -> list[Problem]:
    """Twenty problems whose gradient is wrong."""
    return [*_column_errors(), *_slab_errors(), *_textbook_errors(), *_operator_errors()]


def correct() -> list[Problem]:
    """Problems whose gradient is right, and hard for some reason."""
    smooth_der = textbook.smooth_der
    single = {name: value.astype(np.float32) for name, value in slab.START.items()}
    near = {name: value * (1 + 1e-6) for name, value in slab.TRUTH.items()}
    group = Group.CORRECT
    return [
        Problem(
            "column",
            group,
            "column: parameters from 0.3 to 2e6",
            column.objective,
            column.gradient,
            column.start(),
            column.case().scales,
            column.pair({}),
            column.exact,
        ),
        build.layer("layer", group, "layer: variable Δt", slab.START, pair=slab.pair()),
        build.layer("float32", group, "layer: all in float32", single),
        build.layer(
            "optimum", group, "layer: at the optimum, gradient ≈ 0", near, pair=slab.pair()
        ),
        build.vector("rosen", group, "Rosenbrock, 10 parameters", ROSEN, textbook.ROSEN_POINT),
        build.vector("large", group, "Rosenbrock, 1000 parameters", ROSEN, textbook.LARGE_POINT),
        build.vector("tiny", group, "J ≈ 1e-9", build.affine(textbook.TINY, 0.0)),
        build.vector("offset", group, "J = 1e10 + …", build.affine(1.0, textbook.OFFSET)),
        build.vector("noise", group, "J with noise 1e-10", (textbook.noisy, smooth_der)),
        build.vector(
            "linear",
            group,
            "J linear, 6e8 J m⁻²",
            (lambda x: textbook.NODE_HEAT_CAPACITY @ x, lambda x: textbook.NODE_HEAT_CAPACITY),
            textbook.TEMPERATURES,
        ),
        Problem(
            "permeability",
            group,
            "a parameter of size 1e-12",
            textbook.permeability,
            textbook.permeability_der,
            textbook.PERMEABILITY,
        ),
        build.vector(
            "near-kink",
            group,
            "a kink 1e-7 beside the point",
            (textbook.melt, textbook.melt_der),
            np.array([1e-7, 0.7, -0.4]),
            scale=1.0,  # [K]; by default the first would be 1e-7, and no step would reach the kink
        ),
        build.operator("operator", group, "matrix", textbook.matrix_pair(textbook.MATRIX.T)),
        build.operator(
            "operator-float32",
            group,
            "matrix in float32",
            textbook.matrix_pair(
                textbook.MATRIX.T.astype(np.float32), textbook.MATRIX.astype(np.float32)
            ),
            np.float32,
        ),
    ]


def neither() -> list[Problem]:
    """Problems that say nothing about the gradient: the right answer is to refuse."""
    group = Group.NEITHER
    none = np.zeros(slab.STEPS.size)
    return [
        build.vector(
            "on-kink",
            group,
            "on a kink, slope from the right",
            (textbook.melt, lambda x: (x >= 0) + (x - 1.0)),
            np.array([0.0, 0.7, -0.4]),
            scale=1.0,
        ),
        Problem(
            "no-observations",
            group,
            "all observations missing: J = 0",
            lambda p: np.mean(none * slab.trajectory(p)[1:]),
            lambda p: slab.adjoint(p, none),
            slab.START,
            slab.SCALES,
        ),
    ]


def problems() -> list[Problem]:
    """All of them, in the order of the table."""
    return [*errors(), *correct(), *neither()]


def _column_errors() -> list[Problem]:
    found = [
        Problem(
            name,
            Group.ERROR,
            title,
            column.objective,
            column.scaled(factors),
            column.start(),
            column.case().scales,
            column.pair(factors),
            column.exact,
        )
        for name, (title, factors) in FACTORS.items()
    ]
    stale = Problem(
        "stale-gradient",
        Group.ERROR,
        "column: gradient of the last iterate",
        column.objective,
        lambda p: column.gradient({name: 0.999 * value for name, value in p.items()}),
        column.start(),
        column.case().scales,
        exact=column.exact,
    )
    return [*found, stale]


def _slab_errors() -> list[Problem]:
    return [
        build.layer(name, Group.ERROR, title, slab.START, planted, slab.pair(**planted))
        for name, (title, planted) in SLAB.items()
    ]


def _textbook_errors() -> list[Problem]:
    group = Group.ERROR
    smooth, smooth_der = textbook.smooth, textbook.smooth_der
    change = textbook.with_entry
    tiny, tiny_der = build.affine(textbook.TINY, 0.0)
    offset, _ = build.affine(1.0, textbook.OFFSET)
    return [
        build.vector(
            "cross-term",
            group,
            "Rosenbrock: a cross term dropped",
            (textbook.rosen, textbook.rosen_without_cross_term),
            textbook.ROSEN_POINT,
        ),
        build.vector(
            "one-of-many",
            group,
            "Rosenbrock: 1 of 1000 derivatives zero",
            (textbook.rosen, change(textbook.rosen_der, 500, lambda g: 0.0)),
            textbook.LARGE_POINT,
        ),
        build.vector("tiny-flipped", group, "J ≈ 1e-9: wrong sign", (tiny, lambda x: -tiny_der(x))),
        build.vector(
            "offset-percent",
            group,
            "J = 1e10 + …: gradient 1 % too large",
            (offset, lambda x: 1.01 * smooth_der(x)),
        ),
        build.vector(
            "noise-permille",
            group,
            "J with noise 1e-10: 0.1 % too large",
            (textbook.noisy, lambda x: 1.001 * smooth_der(x)),
        ),
        build.vector(
            "not-a-number",
            group,
            "one derivative is not a number",
            (smooth, change(smooth_der, 2, lambda g: float("nan"))),
        ),
    ]


def _operator_errors() -> list[Problem]:
    wrong = textbook.MATRIX.T.copy()
    wrong[7, 3] *= -1.0
    return [
        build.operator(
            "entry-flipped",
            Group.ERROR,
            "matrix: wrong sign of 1 in 60,000",
            textbook.matrix_pair(wrong),
        ),
        build.operator(
            "boundary",
            Group.ERROR,
            "differences: boundary term dropped",
            textbook.difference_pair(boundary=False),
        ),
    ]
