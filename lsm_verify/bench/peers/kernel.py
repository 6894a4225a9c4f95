"""The product's own kernels, called bare: canonical columns in, canonical gradients out."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.bench.peers import EXACT, MODES, Outcome, Peer, Prepared, Setting
from lsm_verify.bench.workloads import (
    AIR_TEMPERATURE,
    EMISSIVITY,
    LONGWAVE_DOWN,
    SCALES,
    TIME_STEP,
    Workload,
)
from lsm_verify.kernels.columns import SOIL_TEMPERATURE, Columns, Objective, Sight

Array = NDArray[Any]

WANTED = ("albedo", "H", "Tb", "T0", "lam", "C")
"""What the six parameters enter through; the initial state is tied to the bottom temperature."""

DESCENT_ITERATIONS = 150
DESCENT_RATE = 0.02
"""Adam's rate in units of the parameters' scales."""


def columns(work: Workload, theta: Array, dtype: str) -> Columns:
    """Return the workload's columns at the parameters ``theta`` (batch, 6)."""
    albedo, h, beta, lam, C, Tb = (column[:, None] for column in np.ascontiguousarray(theta.T))

    def array(x: Any) -> Array:
        return np.ascontiguousarray(np.atleast_2d(x), dtype=dtype)

    return Columns(
        spacing=array(np.full(work.nodes, work.spacing)),
        time_step=array(np.full(work.steps, TIME_STEP)),
        lam=array(lam),
        C=array(C),
        albedo=array(albedo),
        H=array(h * (1 + 1 / beta)),
        Tb=array(Tb),
        SWdown=array(work.SWdown),
        LWdown=array(LONGWAVE_DOWN),
        Tair=array(AIR_TEMPERATURE),
        T0=array(Tb),
        emissivity=array(EMISSIVITY),
    )


def change(work: Workload, dtype: str) -> Columns:
    """Return the change of the columns along the workload's direction."""
    _, h, beta, *_ = work.theta.T
    d_albedo, dh, d_beta, d_lam, dC, dTb = (c[:, None] for c in work.direction.T)
    dH = dh[:, 0] * (1 + 1 / beta) - h * d_beta[:, 0] / beta**2
    still = columns(work, work.theta, dtype)
    zero = still._replace(**{name: np.zeros_like(x) for name, x in still._asdict().items()})
    moved = {"albedo": d_albedo, "H": dH[:, None], "lam": d_lam, "C": dC, "Tb": dTb, "T0": dTb}
    return zero._replace(**{k: np.ascontiguousarray(v, dtype=dtype) for k, v in moved.items()})


def sight(work: Workload, dtype: str) -> Sight:
    """Return where the columns are observed."""
    index, fraction = work.reading
    return Sight(
        np.full(index.size, SOIL_TEMPERATURE, dtype=np.int64),
        np.ascontiguousarray(index[None]),
        np.ascontiguousarray(fraction[None], dtype=dtype),
    )


def objective(work: Workload, dtype: str) -> Objective:
    """Return the mean square misfit."""
    values = np.ascontiguousarray(work.values[None], dtype=dtype)
    return Objective("mean-square", values, np.ones_like(values))


def public_gradient(theta: Array, found: dict[str, Array]) -> Array:
    """Return the gradient (batch, 6) by the public parameters from the canonical one."""
    _, h, beta, *_ = theta.T
    g = {name: np.asarray(x, dtype=np.float64)[:, 0] for name, x in found.items()}
    by_h, by_beta = g["H"] * (1 + 1 / beta), -g["H"] * h / beta**2
    return np.stack([g["albedo"], by_h, by_beta, g["lam"], g["C"], g["Tb"] + g["T0"]], axis=1)


class _Kernels:
    """The entry points on one device, with arrays placed there and results brought back."""

    def __init__(self, setting: Setting) -> None:
        from importlib import import_module

        self.on_gpu = setting.device == "cuda"
        self.module = import_module(f"lsm_verify.kernels.{'cuda' if self.on_gpu else 'cpu'}")
        self.options: dict[str, Any] = {} if self.on_gpu else {"threads": setting.threads}

    def place(self, given: Any) -> Any:
        """Put the arrays of a tuple on the device."""
        if not self.on_gpu:
            return given
        import torch

        def move(x: Any) -> Any:
            return torch.as_tensor(x, device="cuda") if isinstance(x, np.ndarray) else x

        return type(given)(*map(move, given))

    def call(self, name: str, *given: Any, **options: Any) -> Any:
        """Call an entry point."""
        return getattr(self.module, name)(*given, **self.options, **options)

    def fetch(self, found: Any) -> Any:
        """Bring results to the host."""
        if isinstance(found, dict):
            return {name: self.fetch(x) for name, x in found.items()}
        return found.cpu().numpy() if self.on_gpu else found


def _prepare(work: Workload, setting: Setting) -> Prepared:
    dtype, kernels = setting.dtype, _Kernels(setting)
    these = kernels.place(columns(work, work.theta, dtype))
    seen = kernels.place(sight(work, dtype))
    if setting.mode == "simulate":
        return Prepared(
            lambda: kernels.call("simulate", these, False),
            lambda found: Outcome(trajectory=kernels.fetch(found[0])),
        )
    if setting.mode == "tangent":
        along = kernels.place(change(work, dtype))
        return Prepared(
            lambda: kernels.call("tangent", these, along, False, seen),
            lambda found: Outcome(tangent=kernels.fetch(found[1])),
        )
    goal = kernels.place(objective(work, dtype))
    if setting.mode == "score":
        return Prepared(
            lambda: kernels.call("score", these, False, seen, goal),
            lambda found: Outcome(value=kernels.fetch(found[0])),
        )

    checkpoint = math.ceil(math.sqrt(work.steps)) if setting.mode == "checkpointed" else None
    gradient_of = partial(kernels.call, "gradient", checkpoint=checkpoint)

    def gradient(given: Columns) -> Any:
        return gradient_of(given, False, seen, goal, WANTED)

    def read(theta: Array, found: Any) -> tuple[Array, Array]:
        return kernels.fetch(found[0]), public_gradient(theta, kernels.fetch(found[1]))

    if setting.mode in ("gradient", "checkpointed"):
        return Prepared(lambda: gradient(these), lambda found: Outcome(*read(work.theta, found)))
    last: dict[str, Any] = {}

    def descend() -> tuple[Array, Array]:
        def at(theta: Array) -> tuple[Array, Array]:
            return read(theta, gradient(kernels.place(columns(work, theta, dtype))))

        first, J = adam(at, work.theta)
        last["median_misfit_after"] = float(np.median(J))
        last["gradients"] = work.batch * DESCENT_ITERATIONS
        return first

    return Prepared(descend, lambda found: Outcome(*found), lambda: dict(last))


def adam(
    gradient: Callable[[Array], tuple[Array, Array]], start: Array
) -> tuple[tuple[Array, Array], Array]:
    """Run Adam (Kingma and Ba 2015) on every row; its first value and gradient, its last value.

    Parameters stay within a factor of four of the start: some of them must not change sign.
    """
    theta, first = start.copy(), None
    m, v, J = np.zeros_like(theta), np.zeros_like(theta), np.zeros(len(theta))
    for k in range(1, DESCENT_ITERATIONS + 1):
        J, g = gradient(theta)
        first = first or (J, g)
        g = g * SCALES
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = m / (1 - 0.9**k) / (np.sqrt(v / (1 - 0.999**k)) + 1e-12)
        theta = np.clip(theta - DESCENT_RATE * SCALES * step, start / 4, start * 4)
    assert first is not None
    return first, J


def _prepare_fused(work: Workload, setting: Setting) -> Prepared:
    """From the six parameters, one tensor (batch, 6)."""
    from lsm_verify.bench.peers import torch_eager
    from lsm_verify.models import fused
    from lsm_verify.models.column import Columns as Tensors

    theta, fixed = torch_eager.theta_of(work, setting), torch_eager.constants(work, setting)
    kernels = _Kernels(setting)
    seen, goal = (kernels.place(f(work, setting.dtype)) for f in (sight, objective))
    once = {name: x[:1] for name, x in fixed._asdict().items() if name != "observed"}

    def run() -> Any:
        albedo, h, beta, lam, C, Tb = theta[:, :, None].unbind(1)
        these = Tensors(
            lam=lam, C=C, albedo=albedo, H=h * (1 + 1 / beta), Tb=Tb, T0=Tb, insulated=False, **once
        )
        value = fused.score(these, seen, goal, threads=setting.threads)
        return torch_eager.differentiated(value, theta)

    def read(found: Any) -> Outcome:
        return torch_eager.read(found)

    return Prepared(run, read)


def _prepare_function(work: Workload, setting: Setting) -> Prepared:
    """From the canonical columns, those of `WANTED` differentiated by: what `kernel` is given."""
    import torch

    from lsm_verify.models import fused
    from lsm_verify.models.column import Columns as Tensors

    kernels = _Kernels(setting)
    seen, goal = (kernels.place(f(work, setting.dtype)) for f in (sight, objective))
    given = kernels.place(columns(work, work.theta, setting.dtype))
    tensors = {name: torch.as_tensor(x) for name, x in given._asdict().items()}
    tensors["emissivity"] = tensors["emissivity"][:, 0]
    asked = [tensors[name].requires_grad_() for name in WANTED]
    these = Tensors(**tensors, insulated=False)
    ones = torch.ones(work.batch, dtype=asked[0].dtype, device=asked[0].device)

    def run() -> Any:
        value = fused.score(these, seen, goal, threads=setting.threads)
        return value.detach(), torch.autograd.grad(value, asked, ones)

    def read(found: Any) -> Outcome:
        value, bars = found
        by_name = {name: bar.cpu().numpy() for name, bar in zip(WANTED, bars, strict=True)}
        return Outcome(value.cpu().numpy(), public_gradient(work.theta, by_name))

    return Prepared(run, read)


def _cuda_missing() -> str | None:
    from importlib.util import find_spec

    return None if find_spec("numba_cuda") else "install the extra: pip install 'lsm-verify[cuda]'"


PEERS = (
    Peer(
        "kernel",
        "this package's fused kernels, called bare",
        EXACT,
        MODES,
        _prepare,
        missing=lambda setting: _cuda_missing() if setting.device == "cuda" else None,
        devices=("cpu", "cuda"),
    ),
    Peer(
        "function",
        "the kernels as a PyTorch function, from canonical columns",
        EXACT,
        ("gradient",),
        _prepare_function,
        missing=lambda setting: _cuda_missing() if setting.device == "cuda" else None,
        devices=("cpu", "cuda"),
    ),
    Peer(
        "fused",
        "the kernels as a PyTorch function, from the six parameters",
        EXACT,
        ("score", "gradient"),
        _prepare_fused,
        missing=lambda setting: _cuda_missing() if setting.device == "cuda" else None,
        devices=("cpu", "cuda"),
    ),
)
