"""How far this machine's vectors are from those of a reference."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from embedcli.embeds import Embeds
from embedcli.models.golden import Golden
from embedcli.records import Options


@dataclass(frozen=True, slots=True)
class Drift:
    """One text, and how its vector differs from the reference in the values that it gives."""

    golden: Golden
    max_abs: float  # infinite where the vector has fewer values
    cosine: float

    @property
    def within(self) -> bool:
        """Whether it may be so."""
        return self.max_abs <= self.golden.tolerance


def measure(embedder: Embeds, goldens: Iterable[Golden]) -> list[Drift]:
    """Embed every text alone, and compare.

    Raises what `embedder.embed` does.
    """
    return [_measured(embedder, golden) for golden in goldens]


def _measured(embedder: Embeds, golden: Golden) -> Drift:
    bare = "" if golden.prompt is None else None  # not even the model's own prompt
    [vector] = embedder.embed([golden.text], Options(golden.prompt, prefix=bare))
    theirs = np.asarray(golden.values, np.float64)
    ours = vector[: len(theirs)].astype(np.float64)
    if ours.shape != theirs.shape:
        return Drift(golden, float("inf"), 0.0)
    cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    return Drift(golden, float(abs(ours - theirs).max()), float(cosine))
