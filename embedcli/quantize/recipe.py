"""A model in, a quantised graph out: calibrate, round, choose, write, and judge."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from embedcli.engine import asked, cores
from embedcli.engine.embedder import Embedder
from embedcli.errors import ModelError
from embedcli.load import assemble, open_session
from embedcli.models.spec import ModelSpec
from embedcli.quantize import calibration, rewrite, tables
from embedcli.quantize.calibration import Ids
from embedcli.quantize.graph import Graph
from embedcli.quantize.plan import Plan, planned
from embedcli.quantize.report import Report, likeness, speed
from embedcli.quantize.search import Choice, choose
from embedcli.quantize.sites import Group, Survey, survey
from embedcli.quantize.tables import Table
from embedcli.quantize.texts import Texts
from embedcli.records import Options, Vectors

_BATCH = 512  # tokens, as the engine runs them
_LONGEST = 512  # tokens of a text that is calibrated on


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks for."""

    min_cosine: float = 0.998
    keep: tuple[str, ...] = ()  # patterns of nodes that stay as they are
    threads: int | None = None  # cores to use; None: all that are allowed


Progress = Callable[[str, int], Callable[[], None]]  # a stage and its steps: what ends each step


def quantise(
    original: Embedder, texts: Texts, path: Path, wish: Wish, progress: Progress
) -> Report:
    """Write the graph of `original` to `path`, in 8 bits, and return what that cost.

    Raises:
        ModelError: the graph is quantised already, or nothing in it can be.
        UsageError: the package `onnx` is not installed.
    """
    graph = Graph.read(original.spec.graph)
    found = survey(graph)
    groups = [group for group in found.groups if not _is_named(group, wish.keep)]
    if not groups:
        raise ModelError(
            f"the graph `{original.spec.graph.name}` has no product that can be quantised"
        )
    shrunk = tables.tables(graph)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".quantize-") as scratch:
        plans = _plans(original, graph, groups, texts.calibration, Path(scratch), wish, progress)
        trial = _Trial(original, graph, shrunk, texts.held_out, Path(scratch), wish.threads)
        tick = progress("choosing", 1 + len(plans))
        choice = choose(plans, least=wish.min_cosine, cosine=trial.cosine, tick=tick)
    rewrite.write(graph, choice.quantised, shrunk, path)
    with assemble(_with_graph(original.spec, path), threads=wish.threads) as quantised:
        return _report(original, quantised, texts.held_out, found, choice)


def _plans(
    original: Embedder,
    graph: Graph,
    groups: Sequence[Group],
    texts: Sequence[str],
    scratch: Path,
    wish: Wish,
    progress: Progress,
) -> list[Plan]:
    threads = wish.threads or cores.allowed()
    batches = _batches(original, texts)
    tick = progress("calibrating", calibration.runs(groups, batches))
    # A folder of its own: the weights of the original are linked into it, under names of their own
    # choosing, and nothing else may be written there.
    probe = scratch / "probe"
    probe.mkdir()
    seen = calibration.observe(
        graph,
        groups,
        batches,
        open_session=lambda path: open_session(_with_graph(original.spec, path), "cpu", threads),
        scratch=probe,
        tick=tick,
    )
    rounding = progress("rounding", len(groups))
    plans = []
    for group, what in seen:
        plans.append(planned(graph, group, what))
        rounding()
    return plans


class _Trial:
    """Tries plans: writes a graph, runs it on the texts, and forgets it."""

    def __init__(
        self,
        original: Embedder,
        graph: Graph,
        shrunk: Sequence[Table],
        texts: Sequence[str],
        scratch: Path,
        threads: int | None,
    ) -> None:
        self._threads = threads
        self._spec = _with_graph(original.spec, scratch / "trial.onnx")
        self._graph = graph
        self._tables = shrunk
        self._texts = texts
        self._exact = original.embed(texts)

    def cosine(self, plans: Sequence[Plan]) -> float:
        """Return the mean cosine to the original with only these plans carried out."""
        rewrite.write(self._graph, plans, self._tables, self._spec.graph)
        with assemble(self._spec, threads=self._threads) as trial:
            return likeness(self._exact, trial.embed(self._texts)).mean


def _batches(embedder: Embedder, texts: Iterable[str]) -> list[Ids]:
    """Return the ids of `texts`, in batches of one length as the engine runs them."""
    spec = embedder.spec
    prefix = asked.prefix(spec, Options())
    limit = min(spec.max_tokens, _LONGEST)
    by_length: dict[int, list[Ids]] = {}
    for index, text in enumerate(texts):
        ids = embedder.tokenizer.tokens(
            text, prefix=prefix, limit=limit, truncate=True, index=index
        ).ids
        if len(ids):
            by_length.setdefault(len(ids), []).append(ids)
    batches = []
    for length, rows in sorted(by_length.items()):
        many = max(1, _BATCH // length)
        batches += [np.stack(rows[at : at + many]) for at in range(0, len(rows), many)]
    return batches


def _report(
    original: Embedder,
    quantised: Embedder,
    texts: Sequence[str],
    found: Survey,
    choice: Choice,
) -> Report:
    exact: Vectors = original.embed(texts)
    chosen = {site.name for plan in choice.quantised for site in plan.group.sites}
    costly = {site.name for plan in choice.kept for site in plan.group.sites}
    kept = [
        (site.name, "it would cost too much" if site.name in costly else "--keep")
        for group in found.groups
        for site in group.sites
        if site.name not in chosen
    ]
    return Report(
        texts=len(texts),
        likeness=likeness(exact, quantised.embed(texts)),
        speed=speed(original, quantised, texts),
        original_size=original.spec.size,
        size=_size(quantised.spec.graph),
        in_eight_bits=len(chosen),
        kept=(*kept, *found.left_out),
    )


def _with_graph(spec: ModelSpec, graph: Path) -> ModelSpec:
    return replace(spec, graph=graph)


def _size(graph: Path) -> int:
    """Return the bytes of a graph that was written here, and of its weights beside it."""
    outside = graph.with_name(f"{graph.name}_data")
    return sum(file.stat().st_size for file in (graph, outside) if file.is_file())


def _is_named(group: Group, patterns: Sequence[str]) -> bool:
    return any(fnmatch(site.name, pattern) for site in group.sites for pattern in patterns)
