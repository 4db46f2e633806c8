"""Every option that commands share, declared once: names, help, and what they mean together."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedcli.errors import InputError, UsageError
from embedcli.formats import streams

if TYPE_CHECKING:
    from embedcli.records import Options

FIELD = "The field with the text, by default `text`; a.b is the field b of a."

Model = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        envvar="EMBED_MODEL",
        help="A name of the catalogue, a repo of the hub, or a ./folder.",
    ),
]
Dimensions = Annotated[
    int | None,
    typer.Option("-d", "--dimensions", metavar="N", help="Keep the first N values of a vector."),
]
Truncate = Annotated[
    bool,
    typer.Option("--truncate/--no-truncate", help="Cut a text that is too long, or fail."),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        "--max-tokens", metavar="N", help="Cut at N tokens; by default at the model's limit."
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option("--prompt", metavar="NAME", help="A prompt of the model: query, document, ..."),
]
Prefix = Annotated[
    str | None,
    typer.Option("--prefix", metavar="TEXT", help="A literal prompt, put before every text."),
]
Normalize = Annotated[
    bool,
    typer.Option("--normalize/--no-normalize", help="Scale vectors to unit length."),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, help="Cores to use; by default all allowed."),
]
Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help="An onnxruntime provider: cpu, cuda, ...")
]
OnnxFile = Annotated[
    str | None,
    typer.Option("--onnx-file", metavar="PATH", help="Which graph of a repo or folder."),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        "--pooling",
        metavar="mean|cls|last",
        help="How tokens make a vector, if the model does not say.",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="EMBED_SERVER",
        help="Let this server do the work: http://host:port or unix:/path.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never open a socket.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no summary.")]
Output = Annotated[
    str, typer.Option("-o", "--output", metavar="OUT", help="A file to write; - is stdout.")
]
Null = Annotated[bool, typer.Option("-0", "--null", help="Texts on stdin end with NUL.")]

_LOCALE = "check the terminal's encoding (locale)"


def settle(
    *,
    prompt: str | None,
    prefix: str | None,
    dimensions: int | None,
    max_tokens: int | None,
    truncate: bool,
    normalize: bool,
) -> "Options":
    """Return what the engine is asked for."""
    from embedcli.records import Options

    return Options(prompt, prefix, dimensions, max_tokens, truncate, normalize)


def arguments(texts: Sequence[str]) -> list[str]:
    """Return the texts of a command line.

    Raises:
        InputError: one is not UTF-8: the shell hands over any bytes.
    """
    for number, argument in enumerate(texts, 1):
        if not _is_utf8(argument):
            raise InputError(f"text {number} is not UTF-8", hint=_LOCALE)
    return list(texts)


def _is_utf8(argument: str) -> bool:
    return not any("\udc80" <= sign <= "\udcff" for sign in argument)


def target(output: str, inputs: Sequence[str] = ()) -> Path | None:
    """Return where output goes: None is standard output.

    Of a link to a file, it is that file, since a rename would replace the link.

    Raises:
        UsageError: it is an input, or a folder.
        OutputError: there can be no such file.
    """
    if output == "-":
        return None
    real = os.path.realpath(output)
    ours = {real, f"{real}.rejects.jsonl"}
    if ours & {os.path.realpath(name) for name in inputs if name != "-"}:
        raise UsageError(
            f"`{output}` or its rejects are an input, too", hint="write to another file"
        )
    path = Path(output)
    with streams.writing(path):
        is_folder, is_link = path.is_dir(), path.is_symlink()
    if is_folder:
        raise UsageError(f"`{output}` is a folder", hint="name a file: -o OUT.jsonl")
    # `/dev/stdout` points to what has no path of its own.
    return Path(real) if is_link and not streams.is_device(path) else path
