"""Differentiable models in torch: the coupled system solved directly, and the published method."""
