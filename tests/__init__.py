"""Tests; the package is imported before torch and numba, which read these when they load."""

import os

# The tensors are small: OpenMP's threads would wait for each other and for whatever else runs on
# the same cores (27 s instead of 2 for the published run). Numba's own OpenMP layer would set the
# number of threads back.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
