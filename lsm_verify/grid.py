"""The vertical grid of a soil column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsm_verify.errors import InputError
from lsm_verify.validation import as_array, finite, increasing, positive, vector, whole


@dataclass(frozen=True)
class Grid:
    """Nodes from the surface downward; spacing need not be uniform.

    Parameters
    ----------
    spacing : (interfaces,) array_like
        Distance between neighbouring nodes [m], positive, the first below the surface.

    Raises
    ------
    InputError
        If there are fewer than two spacings, or one is not finite or not positive.

    Examples
    --------
    >>> Grid.uniform(depth=1.0, interfaces=4).nodes.tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """

    spacing: NDArray[np.float64]

    def __post_init__(self) -> None:
        spacing = positive("spacing", vector("spacing", self.spacing))
        if spacing.size < 2:
            raise InputError(
                "spacing has 1 value; give at least 2, for a node between surface and bottom."
            )
        spacing.setflags(write=False)
        object.__setattr__(self, "spacing", spacing)

    @classmethod
    def uniform(cls, depth: float, interfaces: int) -> Grid:
        """Grid of ``interfaces`` equal spacings down to ``depth`` [m]."""
        whole("interfaces", interfaces, 2)
        positive("depth", finite("depth", as_array("depth", depth)))
        return cls(np.full(interfaces, depth / interfaces))

    @classmethod
    def stretched(cls, depth: float, interfaces: int, ratio: float) -> Grid:
        """Grid of spacings that grow by the factor ``ratio`` each, down to ``depth`` [m]."""
        whole("interfaces", interfaces, 2)
        for name, value in (("depth", depth), ("ratio", ratio)):
            positive(name, finite(name, as_array(name, value)))
        with np.errstate(over="ignore"):
            spacing = float(ratio) ** np.arange(interfaces)
        if not np.isfinite(spacing.sum()):
            raise InputError(
                f"ratio={ratio} over {interfaces} interfaces overflows; give one nearer 1."
            )
        return cls(spacing * (depth / spacing.sum()))

    @classmethod
    def from_nodes(cls, nodes: ArrayLike) -> Grid:
        """Grid with the given node depths [m]: strictly increasing, the first 0."""
        z = increasing("nodes", vector("nodes", nodes))
        if z[0] != 0:
            raise InputError(f"nodes[0]={z[0]} m must be 0, the surface.")
        return cls(np.diff(z))

    @property
    def nodes(self) -> NDArray[np.float64]:
        """Node depths (nodes,) [m], positive down."""
        return np.concatenate([[0.0], np.cumsum(self.spacing)])

    @property
    def midpoints(self) -> NDArray[np.float64]:
        """Depths of the interfaces (interfaces,) [m], half-way between nodes."""
        z = self.nodes
        return (z[:-1] + z[1:]) / 2

    @property
    def volumes(self) -> NDArray[np.float64]:
        """Thickness of the control volume of each node (nodes,) [m], equation (1)."""
        half = self.spacing / 2
        volumes = np.zeros(self.spacing.size + 1)
        volumes[:-1] += half
        volumes[1:] += half
        return volumes

    @property
    def depth(self) -> float:
        """Depth of the last node [m]."""
        return float(self.spacing.sum())
