"""Arrays on a CUDA device: taken as they come, and made where results are to lie.

Torch is imported only where a torch tensor is given. Then results are tensors too, from torch's
allocator and on its current stream; without one they are numba-cuda's device arrays.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError

Array = Any
"""A numpy array, a torch tensor, or anything with ``__cuda_array_interface__``."""


@cache
def numba_cuda() -> Any:
    """Return ``numba.cuda``, once it is known to serve.

    Raises
    ------
    InputError
        If numba-cuda is not installed, or finds no device.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        raise InputError(
            "kernels on a GPU need numba-cuda, which is not installed; install the extra cuda: "
            "pip install 'lsm-verify[cuda]'."
        )
    cuda: Any = importlib.import_module("numba.cuda")
    if not cuda.is_available():
        raise InputError(
            "numba-cuda finds no CUDA device; use the kernels for the CPU, or a machine with an "
            "NVIDIA GPU, its driver and the extra cuda: pip install 'lsm-verify[cuda]'."
        )
    return cuda


def is_tensor(array: Array) -> bool:
    """Whether an array is torch's; no import is needed to know."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


@dataclass(frozen=True)
class Home:
    """Where a run takes place and what its results are made of.

    Attributes
    ----------
    device : torch.device or None
        The device of the tensors that were given; ``None`` if there were none.
    """

    device: Any = None

    @contextmanager
    def current(self) -> Iterator[Any]:
        """Make the device current and give the stream to launch on."""
        cuda = numba_cuda()
        if self.device is None:
            yield 0
            return
        import torch

        with torch.cuda.device(self.device), cuda.gpus[self.device.index]:
            yield cuda.external_stream(torch.cuda.current_stream().cuda_stream)

    def free_bytes(self) -> float:
        """Memory that is free [B], with what torch keeps for reuse."""
        if self.device is None:
            return float(numba_cuda().current_context().get_memory_info().free)
        import torch

        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return float(torch.cuda.mem_get_info()[0] + kept)

    def multiprocessors(self) -> int:
        """Multiprocessors of the current device; one in the simulator, which has none."""
        device = numba_cuda().current_context().device
        return int(getattr(device, "MULTIPROCESSOR_COUNT", 1))

    def take(self, array: Array) -> Array:
        """Return an array for a kernel: what is on the device without a copy."""
        cuda = numba_cuda()
        if getattr(array, "__cuda_ndarray__", False):
            return array
        if is_tensor(array):
            array = array.detach()
            if array.is_cuda:
                return cuda.as_cuda_array(array)
            array = array.numpy()
        if hasattr(array, "__cuda_array_interface__"):
            return cuda.as_cuda_array(array)
        array = np.ascontiguousarray(array)
        if self.device is None:
            return cuda.to_device(array)
        import torch

        return cuda.as_cuda_array(torch.tensor(array, device=self.device))

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an uninitialised array in which the columns, its first axis, lie side by side."""
        dtype = np.dtype(dtype)
        inner = [shape[0] * prod(shape[i + 1 :]) for i in range(1, len(shape))]
        if self.device is None:
            strides = tuple(dtype.itemsize * stride for stride in (1, *inner))
            return numba_cuda().device_array(shape, dtype, strides=strides)
        import torch

        return torch.empty_strided(
            shape, (1, *inner), dtype=getattr(torch, dtype.name), device=self.device
        )


def home(arrays: Iterable[Array]) -> Home:
    """Find the device of the tensors among some arrays."""
    devices = {array.device for array in arrays if is_tensor(array) and array.is_cuda}
    if len(devices) > 1:
        names = ", ".join(sorted(map(str, devices)))
        raise InputError(f"tensors lie on {names}; move them to one device.")
    return Home(devices.pop() if devices else None)


def outline(array: Array) -> NDArray[Any]:
    """Return an array of the same shape and type that holds nothing, for checks of these."""
    dtype = str(array.dtype).rpartition(".")[2]
    return np.broadcast_to(np.zeros((), dtype), tuple(array.shape))


def on_host(array: Array) -> NDArray[Any]:
    """Return a copy on the host of a small array whose values are to be checked."""
    if is_tensor(array):
        return np.asarray(array.detach().cpu())
    if getattr(array, "__cuda_ndarray__", False):
        return np.asarray(array.copy_to_host())
    if hasattr(array, "__cuda_array_interface__"):
        return np.asarray(numba_cuda().as_cuda_array(array).copy_to_host())
    return np.asarray(array)
