"""The names of the arrays that quantising works on."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float32]
Wide: TypeAlias = NDArray[np.float64]  # sums over many thousands of tokens
