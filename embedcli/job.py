"""All that one run of `embed file` is asked for, and how it gets into a file or through a pipe."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from embedcli import __version__
from embedcli.embeds import Embeds, Streams
from embedcli.engine.session import VERSION
from embedcli.engine.windows import Windows
from embedcli.formats import inputs, outputs, streams
from embedcli.formats.inputs import Reading
from embedcli.formats.outputs import Writer
from embedcli.formats.record import Record, Reject
from embedcli.formats.shape import Shape
from embedcli.journal import BEGINNING, Checkpoint, Journal
from embedcli.pipeline import Sink, Tally, run
from embedcli.provenance import provenance
from embedcli.records import Options


@dataclass(frozen=True, slots=True)
class Job:
    """What is read, how it is embedded, and what is written."""

    inputs: Sequence[str]  # as typed
    reading: Reading
    embedder: Embeds
    vectors: Streams  # the embedder, or a memory before it
    options: Options
    shape: Shape
    windows: Windows | None
    kind: str  # FORMAT[.COMPRESSION] of the output
    dtype: str
    skip_rejects: bool
    device: str = "cpu"

    def writer(self) -> Writer:
        """Return what makes the output's bytes."""
        dimensions = self.options.dimensions or self.embedder.spec.dimensions
        return outputs.writer(self.kind, self.shape, dimensions, dtype=self.dtype)

    def records(self) -> Iterator[Record | Reject]:
        """Yield what the inputs hold."""
        return inputs.read(self.inputs, self.reading)

    def run(
        self,
        records: Iterable[Record | Reject],
        sink: Sink,
        writer: Writer,
        *,
        begun: Checkpoint = BEGINNING,
        report: Callable[[Tally], None] = lambda _: None,
    ) -> Tally:
        """Embed `records` into `sink`, from the checkpoint `begun` on."""
        return run(
            records,
            self.vectors,
            self.options,
            writer,
            sink,
            windows=self.windows,
            begun=begun,
            skip_rejects=self.skip_rejects,
            report=report,
        )

    def made_by(self) -> dict[str, object]:
        """Return what tells whether other vectors may be compared with these."""
        return {
            "embedcli": __version__,
            **provenance(self.embedder.spec, self.options, dtype=self.dtype),
            "chunk": self.windows.size if self.windows else None,
            "overlap": self.windows.overlap if self.windows else None,
        }

    def identity(self, made_by: Mapping[str, object]) -> dict[str, object]:
        """Return what has a say in the output's bytes, as it is worded to a person.

        Not what the inputs hold: each checkpoint tells that of the records before it, and those
        behind it may be mended.
        """
        return {
            **made_by,
            "onnxruntime": VERSION,
            "--device": self.device,
            "the inputs": ", ".join(self.inputs),
            "--input-format": self.reading.form,
            "--field": self.reading.field,
            "--template": self.reading.template,
            "--whole": self.reading.whole,
            "--null": self.reading.nul,
            "--text": self.shape.text,
            "--replace": self.shape.replace,
            "--format": self.kind,
        }


def to_file(job: Job, out: Path, report: Callable[[Tally], None], *, restart: bool) -> Tally:
    """Make the file `out`, and what vectors it holds in `OUT.meta.json`.

    Raises:
        UsageError: a killed run left other work for `out`.
        InputError: a record cannot be read.
        OutputError: `out` cannot be written, or another run is at it.
    """
    writer = job.writer()
    made_by = job.made_by()
    with Journal(out, job.identity(made_by), head=writer.head, restart=restart) as journal:
        if journal.complete:
            tally = Tally(**journal.checkpoint.counts)  # type: ignore[arg-type]  # from one
        else:
            tally = job.run(job.records(), journal, writer, begun=journal.checkpoint, report=report)
            journal.publish(lambda partial: writer.finish(partial, tally.rows))
        facts = {**made_by, "rows": tally.rows, "tokens": tally.tokens, "truncated": tally.cut}
        with streams.whole_file(out.with_name(out.name + ".meta.json")) as meta:
            meta.write(json.dumps(facts, indent=2).encode() + b"\n")
        journal.tidy()
    return tally


def to_pipe(job: Job, path: Path | None, report: Callable[[Tally], None]) -> Tally | None:
    """Write rows to standard output, or to the pipe or device `path`, as they come.

    Rejects go to standard error. None when the reader left early.

    Raises:
        InputError: a record cannot be read.
        OutputError: nothing can be written there.
    """
    with streams.sink(path) as file:
        return job.run(job.records(), _Pipe(file), job.writer(), report=report)
    return None


class _Pipe:
    """A sink that keeps nothing."""

    due = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def append(self, part: bytes) -> None:
        self._file.write(part)
        self._file.flush()

    def reject(self, line: bytes) -> None:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()

    def mark(self, checkpoint: Checkpoint) -> None:
        """Nothing is kept that could be continued."""
