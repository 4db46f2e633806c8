"""`embed similar`: what is closest to a query, all against all, and near-duplicates."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from embedcli.cli import options, ranking
from embedcli.cli.console import say_if_typed
from embedcli.cli.memory import remembering
from embedcli.cli.progress import progress
from embedcli.cli.ranking import Format
from embedcli.cli.start import Choice, embedder_for
from embedcli.errors import UsageError

if TYPE_CHECKING:
    from embedcli.comparison import Comparison, Match
    from embedcli.pipeline import Tally
    from embedcli.records import Embedded

_Write = Callable[[BinaryIO, Format], None]

_TOP = 10
_UNMET = 1  # the exit code where nothing meets --min-score


def similar(
    context: typer.Context,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="The query, then candidates; none: stdin, by line."),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="FILE", help="Candidates: as `embed file` reads or writes."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option("--texts", metavar="FILE", help="The texts of an NPY file, in its order."),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", metavar="K", min=1, help=f"How many to show; by default {_TOP}."),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option("--min-score", metavar="S", help="Show none below S; exit 1 if none is left."),
    ] = None,
    matrix: Annotated[bool, typer.Option("--matrix", help="Compare each text with each.")] = False,
    dedup: Annotated[
        float | None,
        typer.Option(
            "--dedup", metavar="S", help="Show groups of near-duplicates: S is the least cosine."
        ),
    ] = None,
    dot: Annotated[bool, typer.Option("--dot", help="Dot products, not cosines.")] = False,
    form: Annotated[
        Format | None,
        typer.Option("-f", "--format", help="By default a table on a terminal, else JSONL."),
    ] = None,
    field: Annotated[str | None, typer.Option(metavar="NAME", help=options.FIELD)] = None,
    null: options.Null = False,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Remember the vectors of files.")
    ] = True,
    model: options.Model = "all-minilm",
    dimensions: options.Dimensions = None,
    truncate: options.Truncate = True,
    max_tokens: options.MaxTokens = None,
    prompt: options.Prompt = None,
    prefix: options.Prefix = None,
    normalize: options.Normalize = True,
    onnx_file: options.OnnxFile = None,
    pooling: options.Pooling = None,
    threads: options.Threads = None,
    device: options.Device = "cpu",
    offline: options.Offline = False,
    server: options.Server = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print nothing: the exit code tells.")
    ] = False,
) -> None:
    """Show which texts or stored vectors are closest to a query.

    Candidates are arguments, lines of standard input, or with --in what `embed file` reads, and
    the vectors that it has written.

    For example:

      embed similar "a cat sat" "a dog slept"

      embed similar "reset my password" --in faq.txt --top 3

      embed similar --matrix "one" "two" "three"

      embed similar --dedup 0.95 --in faq.txt
    """
    given = options.arguments(texts or [])
    alone = matrix or dedup is not None
    _refuse_clashes(
        given, matrix=matrix, dedup=dedup, picky=top is not None or least is not None, dot=dot
    )
    wanted = options.settle(
        prompt=prompt,
        prefix=prefix,
        dimensions=dimensions,
        max_tokens=max_tokens,
        truncate=truncate,
        normalize=normalize,
    )
    _refuse_idle_texts(names, files or [])
    choice = Choice(model, onnx_file, pooling, threads, device, offline, quiet)
    embedder = embedder_for(context, choice, server=server)
    from embedcli.comparison import Comparison
    from embedcli.formats import streams
    from embedcli.formats.inputs import Reading

    compared = given if alone else given[1:]
    inputs = files or ([] if compared else [_standard_input(quiet=quiet)])
    with progress(None, wanted=False, quiet=quiet or not inputs) as show:
        comparison = Comparison(
            embedder.spec,
            embedder,
            # Vectors of a server are computed on a machine of which nothing is known here.
            remembering(embedder, device) if cache and inputs and server is None else embedder,
            wanted,
            Reading(field=field, nul=null),
            compared,
            inputs,
            texts=names,
            dot=dot,
            threads=embedder.threads,
            report=_counting(show),
        )
        if matrix:
            write = _matrix(comparison)
        elif dedup is not None:
            write = _groups(comparison, dedup)
        else:
            matches = comparison.closest(given[0], top=top or _TOP, least=least)
            write = _matches(matches, pair=len(given) == 2 and not files)
    if not quiet:
        with streams.sink(None) as out:
            write(out, form or (Format.TABLE if sys.stdout.isatty() else Format.JSONL))
    if not alone and not matches:
        raise typer.Exit(_UNMET)


def _refuse_clashes(
    given: Sequence[str], *, matrix: bool, dedup: float | None, picky: bool, dot: bool
) -> None:
    if matrix and dedup is not None:
        raise UsageError("--matrix and --dedup cannot go together: both say what to show")
    if (matrix or dedup is not None) and picky:
        raise UsageError("--top and --min-score choose among candidates: they need a QUERY")
    if dedup is not None and dot:
        raise UsageError("--dedup compares by cosine: leave out --dot")
    if not (matrix or dedup is not None or (given and given[0].strip())):
        raise UsageError(
            "there is no query" if not given else "the query is empty",
            hint='embed similar "reset my password" --in faq.txt',
        )


def _refuse_idle_texts(names: str | None, files: Sequence[str]) -> None:
    from embedcli.formats import stored

    if names is not None and not any(stored.is_array(name) for name in files):
        raise UsageError(
            "--texts names the texts of an NPY file, and there is none", hint="add --in FILE.npy"
        )


def _standard_input(*, quiet: bool) -> str:
    say_if_typed("candidates", quiet=quiet)
    return "-"


def _counting(show: "Callable[[Tally], None]") -> "Callable[[Embedded], None]":
    from embedcli.pipeline import Tally

    tally, started = Tally(), time.monotonic()

    def count(embedded: "Embedded") -> None:
        tally.rows += 1
        tally.tokens += embedded.tokens
        tally.seconds = time.monotonic() - started
        show(tally)

    return count


def _matches(matches: "Sequence[Match]", *, pair: bool) -> _Write:
    def write(file: BinaryIO, form: Format) -> None:
        if pair and form is Format.TABLE and matches:
            ranking.write_score(file, matches[0].score)
        else:
            ranking.write_matches(file, form, matches)

    return write


def _matrix(comparison: "Comparison") -> _Write:
    from embedcli import similar

    candidates, vectors = comparison.everything()
    scores = similar.matrix(vectors, cosine=not comparison.dot)
    return lambda file, form: ranking.write_matrix(file, form, candidates, scores)


def _groups(comparison: "Comparison", least: float) -> _Write:
    from embedcli import similar

    candidates, vectors = comparison.everything()
    groups = [[candidates[row] for row in group] for group in similar.groups(vectors, least)]
    return lambda file, form: ranking.write_groups(file, form, groups)
