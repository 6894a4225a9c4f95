"""PyTorch compiled: `torch.compile` of the parts of one step, called for every step.

The whole run would unroll into a graph of a hundred steps, and even one step with its Newton
iterations takes the compiler minutes, because it repeats each iteration wherever the next one reads
it. A step in three parts, forward and backward, is what works. The soil is solved by the dense
inverse, formed once per call: `torch.compile` has no tridiagonal solver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsm_verify.bench.peers import EXACT, Outcome, Peer, Prepared, Setting, torch_eager
from lsm_verify.bench.workloads import AIR_TEMPERATURE, Workload
from lsm_verify.quantities import STEFAN_BOLTZMANN

if TYPE_CHECKING:
    from torch import Tensor

NEWTON_STEPS = 5
"""As in the JAX peer: detached, with one differentiable step after them."""


def _missing(setting: Setting) -> str | None:
    import shutil

    if setting.device == "cuda":
        return torch_eager.missing(setting)
    if not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        return "torch.compile needs a C++ compiler; install g++"
    return None


def _solve(
    surface: Tensor, inner: Tensor, forced: Tensor, of: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Soil with a surface at 0 K (B, N - 1), and the load of the surface balance (B, 1)."""
    import torch

    inverse, _, r, s, H, Tb, _, _ = of
    rhs = torch.cat([inner[:, :-1], inner[:, -1:] + r * Tb], dim=1)
    below = torch.matmul(inverse, rhs[..., None])[..., 0]
    return below, surface + s * (forced + H * AIR_TEMPERATURE) + 2 * r * below[:, :1]


def _newton(x: Tensor, c1: Tensor, c4: Tensor, load: Tensor) -> Tensor:
    x3 = x * x * x
    return x - (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * x3)


def _finish(
    x: Tensor, below: Tensor, load: Tensor, of: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Surface and inner nodes at the end of the step, from a surface that has settled."""
    surface = _newton(x, of[6], of[7], load)
    return surface, below + of[1] * surface


class _Step:
    """One step, compiled in three parts: iterations in one graph grow it exponentially."""

    def __init__(self) -> None:
        import torch

        self.solve: Any = torch.compile(_solve, dynamic=False)
        self.newton: Any = torch.compile(_newton, dynamic=False)
        self.finish: Any = torch.compile(_finish, dynamic=False)

    def __call__(
        self, surface: Tensor, inner: Tensor, forced: Tensor, of: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        import torch

        below, load = self.solve(surface, inner, forced, of)
        with torch.no_grad():
            x, c1, c4, held = (part.detach() for part in (surface, of[6], of[7], load))
            for _ in range(NEWTON_STEPS):
                x = self.newton(x, c1, c4, held)
        found: tuple[Tensor, Tensor] = self.finish(x, below, load, of)
        return found


def _run(work: Workload, fixed: torch_eager.Constants, theta: Tensor, step: Any) -> Tensor:
    """Temperatures (B, S + 1, N + 1)."""
    import torch

    albedo, h, beta, lam, C, Tb = theta[:, :, None].unbind(1)
    dz, dt = fixed.spacing[:, :1], fixed.time_step[:, :1]
    H, r, s = h * (1 + 1 / beta), lam / C * dt / dz**2, 2 * dt / (C * dz)
    m = work.nodes - 1
    eye = torch.eye(m, dtype=theta.dtype, device=theta.device)
    beside = torch.diag(eye[0, :1].expand(m - 1), 1) + torch.diag(eye[0, :1].expand(m - 1), -1)
    inverse = torch.linalg.inv((1 + 2 * r)[..., None] * eye - r[..., None] * beside)
    response = inverse[..., 0] * r
    c1 = 1 + 2 * r + s * H - 2 * r * response[:, :1]
    c4 = s * fixed.emissivity[:, None] * STEFAN_BOLTZMANN
    of = (inverse, response, r, s, H, Tb, c1, c4)
    absorbed = (1 - albedo) * fixed.SWdown + fixed.LWdown
    surface, inner = Tb, Tb.expand(-1, m)
    states = [torch.cat([surface, inner, Tb], dim=1)]
    for n in range(work.steps):
        surface, inner = step(surface, inner, absorbed[:, n : n + 1], of)
        states.append(torch.cat([surface, inner, Tb], dim=1))
    return torch.stack(states, dim=1)


def _prepare(work: Workload, setting: Setting) -> Prepared:
    import torch

    from lsm_verify.models.threads import torch_threads

    theta = torch_eager.theta_of(work, setting)
    fixed = torch_eager.constants(work, setting)
    step = _Step()

    def run() -> tuple[Tensor, Tensor | None]:
        with torch_threads(setting.threads):
            T = _run(work, fixed, theta, step)
            return torch_eager.differentiated(torch_eager.misfit(work, fixed, T), theta)

    def read(found: Any) -> Outcome:
        return torch_eager.read(found)

    return Prepared(run, read, close=torch.compiler.reset)


PEERS = (
    Peer(
        "torch-compile",
        "PyTorch, one step compiled, with the dense inverse formed once",
        EXACT,
        ("score", "gradient"),
        _prepare,
        missing=_missing,
        devices=("cpu", "cuda"),
        fits=torch_eager.fits,
    ),
)
