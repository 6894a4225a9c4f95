"""SciPy's Rosenbrock function with SciPy's gradient and SciPy's Hessian.

    lsm-verify check examples.rosenbrock:problem

Three functions written by others: `scipy.optimize.rosen`, its gradient and its Hessian times a
vector. The gradient is held against differences of the function and against Taylor remainders, the
Hessian products against differences of the gradient.
"""

from scipy.optimize import rosen, rosen_der, rosen_hess_prod

import lsm_verify

problem = lsm_verify.Problem(
    rosen,
    [1.3, 0.7, 0.8, 1.9, 1.2],
    gradients={"rosen_der": rosen_der},
    hessian_products={"rosen_hess_prod": rosen_hess_prod},
    name="rosenbrock",
)
