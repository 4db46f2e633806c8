"""The program `embed`: its commands, and the one place where errors become exit codes."""

import os
import sys
import traceback

from embedcli import errors
from embedcli.cli import start
from embedcli.cli.console import say

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
    """Run the command line; an EmbedError becomes a line, perhaps a hint, and an exit code."""
    # Read by NumPy when it loads: its products are small or run on threads of ours already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    begun = start.begin(sys.argv[1:])
    from embedcli.cli.app import app

    try:
        app(prog_name="embed", obj=begun)
    except errors.EmbedError as error:
        say(f"error: {error}")
        if error.hint:
            say(f"hint: {error.hint}")
        _leave(errors.code_for(error, EXIT_CODES))
    except KeyboardInterrupt:
        _leave(INTERRUPTED)
    except SystemExit as done:
        _leave(done.code if isinstance(done.code, int) else 0)
    except Exception:
        traceback.print_exc()
        _leave(BUG)


def _leave(code: int) -> None:
    """End the process at once: threads may be deep in onnxruntime, which cannot be interrupted."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
