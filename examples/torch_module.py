"""A PyTorch module, torch.nn.GRU with a linear read-out, and the gradient of its training loss.

    lsm-verify check examples.torch_module:problem

The module is PyTorch's own, in float64, with a mean square loss on a short series. Verified are
the gradient by every weight (reverse mode) and Hessian-vector products (double backward). To verify
a module of yours: build it in float64, write the closure that you would hand to an optimiser, and
give both to `Problem.from_torch`.
"""

import torch

import lsm_verify

HIDDEN, STEPS = 2, 6


class Reader(torch.nn.Module):
    """Read a series with a recurrent unit and predict its next value."""

    def __init__(self):
        super().__init__()
        self.unit = torch.nn.GRU(1, HIDDEN, batch_first=True)
        self.out = torch.nn.Linear(HIDDEN, 1)

    def forward(self, series):
        """Predict from (batch, steps, 1) to (batch, steps, 1)."""
        return self.out(self.unit(series)[0])


def build():
    """Make the module and its data from one seed, and leave torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = Reader().double()
        series = torch.randn(4, STEPS + 1, 1, dtype=torch.float64).cumsum(1)
    return module, series


module, series = build()


def loss():
    """Mean square error of the prediction one step ahead."""
    return torch.nn.functional.mse_loss(module(series[:, :-1]), series[:, 1:])


problem = lsm_verify.Problem.from_torch(loss, module, name="gated recurrent unit")
