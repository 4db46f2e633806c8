"""Which products stay in float32: none if that is close enough, else those that cost most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embedcli.quantize.plan import Plan

# What is lost by several products is about the sum of what is lost by each, so the first guess is
# near; it is mended by a share of all products at a time.
_STEPS = 16


@dataclass(frozen=True, slots=True)
class Choice:
    """What is computed in 8 bits and what is not."""

    quantised: tuple[Plan, ...]
    kept: tuple[Plan, ...]


def choose(
    plans: Sequence[Plan],
    *,
    least: float,
    cosine: Callable[[Sequence[Plan]], float],
    tick: Callable[[], None],
) -> Choice:
    """Return the plans to carry out so that the mean cosine to the original is at least `least`.

    `cosine` tries some of them. What is kept in float32 is what loses most for the time that it
    saves. If even none of them meets `least`, as when tables lose it, none is carried out.
    """
    whole = cosine(plans)
    tick()
    if whole >= least:
        return Choice(tuple(plans), ())
    losses = []
    for plan in plans:
        losses.append(1 - cosine([plan]))
        tick()
    order = sorted(
        range(len(plans)), key=lambda at: losses[at] / plans[at].group.work, reverse=True
    )
    scale = (1 - whole) / max(sum(losses), 1e-12)
    left = 1 - whole
    count = 0
    while left > 1 - least and count < len(plans):
        left -= losses[order[count]] * scale
        count += 1
    while count < len(plans):
        kept = set(order[:count])
        quantised = [plan for at, plan in enumerate(plans) if at not in kept]
        if cosine(quantised) >= least:
            return Choice(tuple(quantised), tuple(plans[at] for at in sorted(kept)))
        count = min(len(plans), count + max(1, len(plans) // _STEPS))
    return Choice((), tuple(plans))
