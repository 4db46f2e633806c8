"""The program `embed`: its commands, and the one place where errors become exit codes."""

import os
import sys
from contextlib import suppress

from embedcli import errors
from embedcli.cli.console import say
from embedcli.formats import streams

EXIT_CODES: dict[type[errors.EmbedError], int] = {
    errors.UsageError: 2,
    errors.InputError: 3,
    errors.ModelError: 4,
    errors.NetworkError: 5,
    errors.OutputError: 6,
}
BUG = 70
INTERRUPTED = 130


def main() -> None:
    """Run the command line, and end the process with its exit code.

    At once: threads may be deep in onnxruntime, which cannot be interrupted.
    """
    try:
        code = _run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    os._exit(code)


def _run() -> int:
    """Return the exit code; an EmbedError becomes a line, perhaps a hint, and its own."""
    try:
        streams.take_over()
        code = _commands()
        sys.stdout.flush()
    except streams.ReaderLeft:
        return 0
    except errors.EmbedError as error:
        say(f"error: {error}")
        if error.hint:
            say(f"hint: {error.hint}")
        code = errors.code_for(error, EXIT_CODES)
    except Exception:
        import traceback

        traceback.print_exc()
        code = BUG
    with suppress(errors.OutputError, streams.ReaderLeft):  # something worse is told already
        sys.stdout.flush()
    return code


def _commands() -> int:
    # Read by NumPy when it loads: its products are small or run on threads of ours already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imported late, so that Ctrl-C is answered as early.
    from embedcli.cli import start

    begun = start.begin(sys.argv[1:])
    import typer

    from embedcli.cli.app import app

    try:
        code: int | None = app(prog_name="embed", obj=begun, standalone_mode=False)
    except typer.TyperException as error:
        raise _misused(error.format_message()) from error
    return code or 0


def _misused(message: str) -> errors.UsageError:
    """Return what Typer says of a command line in the words and the form of all other errors."""
    named = [argument for argument in sys.argv[1:2] if not argument.startswith("-")]
    command = " ".join(["embed", *named]) if not message.startswith("No such command") else "embed"
    return errors.UsageError(
        message[:1].lower() + message[1:].rstrip("."), hint=f"see {command} --help"
    )
