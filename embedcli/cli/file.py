"""`embed file`: files of any size to vectors, and nothing lost on the way."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedcli.cli import options
from embedcli.cli.console import say
from embedcli.cli.memory import remembering
from embedcli.cli.progress import clock, progress
from embedcli.cli.start import Choice, embedder_for
from embedcli.errors import UsageError

if TYPE_CHECKING:
    from embedcli.embeds import Embeds
    from embedcli.engine.windows import Windows
    from embedcli.pipeline import Tally
    from embedcli.records import Options


class Dtype(StrEnum):
    """How precise stored numbers are."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


class OnError(StrEnum):
    """What becomes of a record that cannot be read."""

    STOP = "stop"
    SKIP = "skip"


def file(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, or - for stdin.")],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="A file; by default stdout.")
    ] = "-",
    model: options.Model = "all-minilm",
    form: Annotated[
        str | None,
        typer.Option(
            "-f",
            "--format",
            metavar="jsonl|npy|parquet",
            help="What to write; by default as OUT is named.",
        ),
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(
            metavar="lines|jsonl|csv|tsv|parquet",
            help="What to read, with .gz, .bz2, .xz or .zst behind if packed; "
            "by default as INPUT is named.",
        ),
    ] = None,
    field: Annotated[
        str | None, typer.Option(metavar="NAME", help="The field to embed: text, or a.b in a.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Several fields: '{title}: {body}'.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Each file is one text.")] = False,
    null: Annotated[bool, typer.Option("-0", "--null", help="Texts end with NUL.")] = False,
    chunk: Annotated[
        int | None, typer.Option(metavar="N", help="Cut texts into windows of N tokens.")
    ] = None,
    overlap: Annotated[int, typer.Option(metavar="M", help="Tokens that two windows share.")] = 0,
    text: Annotated[bool, typer.Option("--text/--no-text", help="Write the text, too.")] = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite fields named like ours.")
    ] = False,
    dtype: Annotated[Dtype, typer.Option(help="How precise numbers are.")] = Dtype.FLOAT32,
    on_error: Annotated[
        OnError, typer.Option(help="Stop at a bad record, or put it into OUT.rejects.jsonl.")
    ] = OnError.STOP,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, whatever a killed run left.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it would take, from a sample.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache", help="Remember vectors, and use those remembered.")
    ] = False,
    show_progress: Annotated[
        bool, typer.Option("--progress", help="Progress in lines, where there is no terminal.")
    ] = False,
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
    quiet: options.Quiet = False,
) -> None:
    """Embed files of any size: lines, JSONL, CSV, TSV or Parquet, each plain or compressed.

    A run that was killed is continued by the same command. With --chunk, a row's text is its
    window's, and N counts what the model sees: prompt and special tokens included.

    For example:

      embed file docs.jsonl.gz --field body -o docs.parquet

      embed file notes/*.md --whole --chunk 256 --overlap 32 -o notes.jsonl
    """
    wanted = options.settle(
        prompt=prompt,
        prefix=prefix,
        dimensions=dimensions,
        max_tokens=max_tokens,
        truncate=truncate,
        normalize=normalize,
    )
    if cache and server is not None:
        raise UsageError(
            "--cache cannot keep the vectors of a server: its machine may change under them",
            hint="leave out --cache",
        )
    from embedcli.formats import outputs, streams
    from embedcli.formats.inputs import Reading, kind_of, size_of
    from embedcli.formats.shape import Shape
    from embedcli.job import Job, to_file, to_pipe

    how = Reading(input_format, field, template, whole, null)
    shape = Shape(how.selection(), text=text, replace=replace, windows=chunk is not None)
    target = None if output == "-" else _target(output, inputs)
    through = target is None or streams.is_device(target)
    kind = outputs.kind_of(None if through else output, form)
    for name in inputs:
        kind_of(name, how)
    size = size_of(inputs)
    choice = Choice(model, onnx_file, pooling, threads, device, offline, quiet)
    embedder = embedder_for(context, choice, server=server)
    windows = _windows(embedder, wanted, chunk, overlap)
    skip = on_error is OnError.SKIP
    vectors = remembering(embedder, device) if cache else embedder
    job = Job(
        inputs, how, embedder, vectors, wanted, shape, windows, kind, dtype.value, skip, device
    )
    embedder.load()
    if estimate:
        from embedcli.cli.estimate import say_estimate

        say_estimate(job, size)
        return
    with progress(size, wanted=show_progress, quiet=quiet) as report:
        if target is None or through:
            tally, rejects = to_pipe(job, target, report), ""
        else:
            tally = to_file(job, target, report, restart=restart)
            rejects = f": {target}.rejects.jsonl"
    if not quiet and tally is not None:
        _summary(tally, rejects)


def _target(output: str, inputs: list[str]) -> Path:
    """Return where OUT is: of a link, what it points to, since a rename would replace the link.

    Raises:
        UsageError: it is an input, or a folder.
    """
    real = os.path.realpath(output)
    ours = {real, f"{real}.rejects.jsonl"}
    if ours & {os.path.realpath(name) for name in inputs if name != "-"}:
        raise UsageError(
            f"`{output}` or its rejects are an input, too", hint="write to another file"
        )
    target = Path(output)
    if target.is_dir():
        raise UsageError(f"`{output}` is a folder", hint="name a file: -o OUT.jsonl")
    return Path(real) if target.is_symlink() else target


def _windows(
    embedder: "Embeds", wanted: "Options", chunk: int | None, overlap: int
) -> "Windows | None":
    """Return how texts are cut into windows, if they are to be.

    Raises:
        UsageError: they cannot be cut like that.
    """
    if chunk is None:
        if overlap:
            raise UsageError("--overlap needs windows that overlap", hint="add --chunk N")
        return None
    from embedcli.engine import asked
    from embedcli.engine.embedder import Embedder
    from embedcli.engine.windows import Windows

    if not isinstance(embedder, Embedder):
        raise UsageError("--chunk needs the model's tokenizer, which stays on the server")
    spec = embedder.spec
    windows = Windows(
        embedder.tokenizer, prefix=asked.prefix(spec, wanted), size=chunk, overlap=overlap
    )
    windows.check(asked.limit(spec, wanted))
    return windows


def _summary(tally: "Tally", rejects: str) -> None:
    seconds = max(tally.seconds, 0.001)
    say(
        f"{tally.rows:,} rows, {tally.tokens:,} tokens in {clock(seconds)}: "
        f"{tally.rows / seconds:,.0f} rows/s"
    )
    if tally.cut:
        say(
            f"{tally.cut:,} texts were cut; the longest has {tally.longest:,} characters: "
            f"{tally.longest_at}"
        )
    if tally.rejects:
        say(f"{tally.rejects:,} records were set aside{rejects}")
