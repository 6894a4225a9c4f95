"""Fused kernels: a batch of columns forward, its objective, all gradients, and the tangent.

Columns run side by side in the lanes of SIMD registers (`cpu`). The arithmetic of one node and of
the surface is written once, in `node`; equation numbers are those of ``reference/derivation.md``.
Nothing here imports torch, and importing compiles nothing.
"""
