"""Models that were written elsewhere, verified with the gradients that came with them."""
