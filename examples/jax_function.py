"""A JAX function, a scan over time, with reverse mode, forward mode and second derivatives.

    pip install jax
    lsm-verify check examples.jax_function:problem

The damped pendulum is stepped by `jax.lax.scan`, and the misfit of its angle is differentiated by
JAX: ``jax.grad`` and ``jax.jacfwd`` are two routes to the same gradient, which must agree to
round-off. Switch on 64 bits before the first array is made; single precision could not show it.
"""

import jax

import lsm_verify

jax.config.update("jax_enable_x64", True)

STEP, STEPS = 0.05, 80


@jax.jit
def misfit(parameters):
    """Mean square angle [rad²] of a pendulum with damping and length, from an initial angle."""

    def step(state, _):
        angle, speed = state
        pull = -9.81 / parameters["length"] * jax.numpy.sin(angle) - parameters["damping"] * speed
        speed = speed + STEP * pull
        angle = angle + STEP * speed
        return (angle, speed), angle

    _, angles = jax.lax.scan(step, (parameters["angle"], 0.0), length=STEPS)
    return jax.numpy.mean(angles**2)


problem = lsm_verify.Problem.from_jax(
    misfit, {"angle": 1.2, "damping": 0.3, "length": 0.8}, name="pendulum"
)
