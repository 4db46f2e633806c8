"""`embed text`: texts, or the lines of standard input, to vectors."""

import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from embedcli.cli import options
from embedcli.cli.console import say_if_typed
from embedcli.cli.start import Choice, embedder_for
from embedcli.errors import UsageError

if TYPE_CHECKING:
    from embedcli.embeds import Embeds
    from embedcli.formats.record import Record
    from embedcli.records import Embedded, Options


class Format(StrEnum):
    """How vectors are printed."""

    JSONL = "jsonl"
    JSON = "json"
    NPY = "npy"


def text(
    context: typer.Context,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Texts; none: stdin, by line.")
    ] = None,
    model: options.Model = "all-minilm",
    form: Annotated[
        Format,
        typer.Option("-f", "--format", help="A JSON object a text, one for all, or a NumPy array."),
    ] = Format.JSONL,
    output: options.Output = "-",
    null: options.Null = False,
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
    """Embed texts, or the lines of standard input.

    Input that trickles in is answered as it comes; input that pours in is batched.

    For example:

      embed text "why is the sky blue?"

      embed text -f npy -o titles.npy < titles.txt
    """
    started = time.perf_counter_ns()
    target = options.target(output)
    if form is Format.NPY and target is None and sys.stdout.isatty():
        raise UsageError(
            "a NumPy array would garble the terminal: it is binary",
            hint="add -o FILE, or send it into a pipe",
        )
    if null and texts:
        raise UsageError("-0 says where texts on stdin end, but there are texts as arguments")
    wanted = options.settle(
        prompt=prompt,
        prefix=prefix,
        dimensions=dimensions,
        max_tokens=max_tokens,
        truncate=truncate,
        normalize=normalize,
    )
    from embedcli.formats import streams

    given = options.arguments(texts) if texts else _standard_input(null=null, quiet=quiet)
    choice = Choice(model, onnx_file, pooling, threads, device, offline, quiet)
    embedder = embedder_for(context, choice, server=server)
    loaded = time.perf_counter_ns()
    with streams.sink(target) as file:
        rows = _embed(embedder, given, wanted)
        if form is Format.JSON:
            _write_document(file, model, rows, started=started, loaded=loaded)
        else:
            _write(file, form, rows, dimensions or embedder.spec.dimensions)


def _standard_input(*, null: bool, quiet: bool) -> "Iterator[Record]":
    from embedcli.formats import lines, sources
    from embedcli.formats.record import Reject

    say_if_typed("texts", quiet=quiet)
    with sources.opened("-", None) as source:
        for record in lines.read(source, nul=null):
            if isinstance(record, Reject):
                raise record.error("convert the text to UTF-8 first, for instance with iconv")
            yield record


def _embed(
    embedder: "Embeds", texts: "list[str] | Iterator[Record]", wanted: "Options"
) -> Iterator[tuple[str, "Embedded"]]:
    """Yield each text with its vector, in order."""
    if isinstance(texts, list):
        yield from zip(texts, embedder.submit(texts, wanted).result(), strict=True)
        return
    from embedcli.pairing import paired

    for record, embedded in paired(embedder, texts, wanted):
        yield record.text, embedded


def _write(
    file: BinaryIO, form: Format, rows: Iterator[tuple[str, "Embedded"]], dimensions: int
) -> None:
    if form is Format.NPY:
        from embedcli.formats import npy

        npy.write(file, (embedded for _, embedded in rows), dimensions=dimensions)
    else:
        from embedcli.formats import jsonl

        jsonl.write(file, rows)


def _write_document(
    file: BinaryIO,
    model: str,
    rows: Iterator[tuple[str, "Embedded"]],
    *,
    started: int,
    loaded: int,
) -> None:
    """Write the reply that `/api/embed` gives for the same texts."""
    from embedcli.formats import ollama

    embedded = [row for _, row in rows]
    document = ollama.document(
        model,
        embedded,
        total_duration=time.perf_counter_ns() - started,
        load_duration=loaded - started,
    )
    file.write(document + b"\n")
