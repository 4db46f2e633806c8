"""What the inputs of a graph's products look like, seen while it runs on real texts."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedcli.engine.session import Session
from embedcli.quantize.graph import Graph
from embedcli.quantize.numbers import Float
from embedcli.quantize.sites import Group
from embedcli.quantize.smoothing import Seen

Ids = NDArray[np.int64]  # (B, T)

_SAMPLE = 1024  # tokens that are kept as they are
_MEMORY = 512_000_000  # bytes of sums held at once; a graph with more is run several times


def observe(
    graph: Graph,
    groups: Sequence[Group],
    batches: Sequence[Ids],
    *,
    open_session: Callable[[Path], Session],
    scratch: Path,
    tick: Callable[[], None],
) -> Iterator[tuple[Group, Seen]]:
    """Run the graph on `batches`, and yield what each group's input looked like.

    `scratch` is an empty folder: best on the disk of the model, whose weights are linked into it,
    or else copied. `tick` is told after each of `runs`.
    """
    probe = _probe(graph, [group.input for group in groups], scratch)
    session = open_session(probe)
    for part in _parts(groups):
        sums = [_Sums(group.channels, len(batches)) for group in part]
        for ids in batches:
            values = session.values(ids, [group.input for group in part])
            for it, value in zip(sums, values, strict=True):
                it.add(value.reshape(-1, value.shape[-1]))
            tick()
        for group, it in zip(part, sums, strict=True):
            yield group, it.seen()


def runs(groups: Sequence[Group], batches: Sequence[Ids]) -> int:
    """Return how many batches `observe` will run."""
    return len(_parts(groups)) * len(batches)


class _Sums:
    """What is known of an input so far."""

    def __init__(self, channels: int, batches: int) -> None:
        self._low = np.full(channels, np.inf, np.float32)
        self._high = np.full(channels, -np.inf, np.float32)
        self._sum = np.zeros(channels)
        self._gram = np.zeros((channels, channels))
        self._tokens = 0
        self._sample: list[Float] = []
        self._share = -(-_SAMPLE // batches)

    def add(self, values: Float) -> None:
        """Count in the tokens (M, K) of a batch."""
        np.minimum(self._low, values.min(axis=0), out=self._low)
        np.maximum(self._high, values.max(axis=0), out=self._high)
        self._sum += values.sum(axis=0, dtype=np.float64)
        self._gram += values.T @ values
        self._tokens += len(values)
        places = np.linspace(0, len(values) - 1, min(self._share, len(values))).astype(np.int64)
        self._sample.append(values[places])

    def seen(self) -> Seen:
        """Return what was seen."""
        return Seen(
            low=self._low,
            high=self._high,
            mean=(self._sum / self._tokens).astype(np.float32),
            gram=self._gram / self._tokens,
            sample=np.concatenate(self._sample),
        )


def _parts(groups: Sequence[Group]) -> list[list[Group]]:
    """Cut the groups into parts whose sums fit into memory together."""
    parts: list[list[Group]] = []
    room = 0
    for group in groups:
        needed = 8 * group.channels**2
        if needed > room:
            parts.append([])
            room = _MEMORY
        parts[-1].append(group)
        room -= needed
    return parts


def _probe(graph: Graph, names: Sequence[str], scratch: Path) -> Path:
    """Write the graph with further outputs, and what lies outside of it beside it."""
    import onnx
    from onnx import TensorProto, helper

    probe = type(graph.model)()
    probe.CopyFrom(graph.model)
    present = {put.name for put in probe.graph.output}
    for name in dict.fromkeys(names):
        if name not in present:
            probe.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    for location in graph.locations:
        _bring(graph.folder / location, scratch / location)
    path = scratch / "probe.onnx"
    while path.name in graph.locations:  # it would be written over
        path = path.with_name(f"_{path.name}")
    onnx.save(probe, path)
    return path


def _bring(source: Path, target: Path) -> None:
    """Make a file appear elsewhere: for nothing where the disk allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
