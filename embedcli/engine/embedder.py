"""Texts in, vectors out: the one object behind the command line, the server and Python.

Knows no file, no flag and no HTTP. Threads come with the work and go with it: an idle embedder
has none, so there is nothing to shut down.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

import numpy as np

from embedcli.engine import pooling
from embedcli.engine.batches import Job, Limits, Queue, Submission
from embedcli.engine.dense import Layer
from embedcli.engine.runs import Run, gather, in_order
from embedcli.engine.session import Session
from embedcli.engine.tokens import Tokenizer
from embedcli.models.spec import ModelSpec
from embedcli.outcomes import Outcome, vectors
from embedcli.records import DEFAULTS, Embedded, Hidden, Options, Vectors

# A lone text of this many tokens gains from having all cores to itself; a shorter one loses.
_WIDE_TOKENS = 32

# Loading the graph again costs as much as all cores gain on so many lone texts.
_LONE_TEXTS = 8

# A graph up to this size may be in memory twice, packed for one core and for all; a larger one only
# where both are pages of the same optimised copy: of 680 MB of weights, the second session took 2.
_SMALL_GRAPH = 512_000_000  # bytes


class Embedder:
    """A model that is ready to run; safe to use from several threads at once."""

    def __init__(
        self,
        spec: ModelSpec,
        tokenizer: Tokenizer,
        open_session: Callable[[int], Session],
        *,
        threads: int,
        limits: Limits,
    ) -> None:
        """Join a model's parts; `open_session` loads the graph for runs on that many cores.

        `threads` cores are used: a batch on each where there are several, or all on a lone text.
        """
        self.spec = spec
        self.tokenizer = tokenizer
        self._sessions = _Sessions(open_session, threads, small=_is_small(spec))
        self._dense = [Layer.read(dense) for dense in spec.dense]
        self.threads = threads
        self._limits = limits
        self._queue = Queue(limits)
        self._lock = threading.Lock()
        self._workers = 0  # threads at work

    @property
    def waiting_tokens(self) -> int:
        """How many tokens are handed in that no core has taken yet."""
        return self._queue.waiting_tokens

    def embed(self, texts: Sequence[str], options: Options = DEFAULTS) -> Vectors:
        """Embed `texts`; row i of (N, D) float32 is the vector of `texts[i]`.

        Raises:
            UsageError: `options` asks for what the model does not have, or the device fails.
            InputError: a text is not Unicode.
            TextTooLong: a text is over the limit, and `options` forbids cutting it.
            VectorError: the model gave NaN or infinity for a text.
            ModelError: the model cannot be loaded, or failed to run.
        """
        future = self.submit(texts, options)
        try:
            rows = [embedded.vector for embedded in future.result()]
        finally:
            future.cancel()  # an interrupted caller leaves no work behind
        dimensions = options.dimensions or self.spec.dimensions
        return np.stack(rows) if rows else np.empty((0, dimensions), np.float32)

    def submit(self, texts: Sequence[str], options: Options = DEFAULTS) -> Future[list[Embedded]]:
        """Tokenise `texts` and hand them in; the future holds their vectors in order.

        Cancelling the future drops what no core has taken yet. Raises as `embed` does: what is
        wrong with the options or a text's length at once, the rest through the future.
        """
        return gather(Run(self, options, lone=len(texts) == 1), texts)

    def stream(self, texts: Iterable[str], options: Options = DEFAULTS) -> Iterator[Embedded]:
        """Embed any number of texts, in order, in bounded memory, each as soon as it can be.

        `texts` is read in a thread of its own, some thousands ahead of what has been yielded. An
        error of its own, or one that `embed` would raise, comes after the results before it.
        """
        return vectors(self.outcomes(texts, options))

    def outcomes(self, texts: Iterable[str], options: Options = DEFAULTS) -> Generator[Outcome]:
        """Embed as `stream` does; in the place of a text that has no vector stands its error."""
        return in_order(Run(self, options, lone=False), texts)

    def load(self) -> None:
        """Load the weights now, rather than with the first text.

        Raises:
            ModelError: the graph is damaged, or of a kind that cannot be run.
            UsageError: the device is not there, fails, or would leave the work to the CPU.
        """
        self._sessions.get(alone=False)

    def close(self) -> None:
        """Give back the memory of the weights; the next text would load them again."""
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def work(self, submission: Submission, job: Job) -> None:
        """Let `job` wait for a core, and see to it that one is at work."""
        self._queue.put(submission, job)
        with self._lock:
            if self._workers == self.threads:
                return
            self._workers += 1
        try:
            threading.Thread(target=self._worker, name="embed-worker", daemon=True).start()
        except RuntimeError:  # the system has no thread to give
            with self._lock:
                self._workers -= 1
            raise

    def _worker(self) -> None:
        """Run batches until none waits."""
        while True:
            batch = self._queue.next_batch()
            if not batch:
                with self._lock:
                    # A job put just now saw this worker as awake, so look once more.
                    if not self._queue.waiting_tokens:
                        self._workers -= 1
                        return
                continue
            self._run(batch)

    def drop(self, submission: Submission) -> None:
        """Forget what waits of `submission`."""
        self._queue.cancel(submission)

    def _run(self, batch: Sequence[Job]) -> None:
        """Compute the vectors of `batch` and tell its jobs; none of them waits for ever."""
        try:
            session = self._session(batch[0])
        except Exception as error:  # a bug, too, must reach the callers
            for job in batch:  # it would not load for one of them alone, either
                job.done(error)
            return
        self._compute(session, batch)

    def _session(self, job: Job) -> Session:
        """Return the session that suits the batch of `job`."""
        alone = job.lone and self._workers == 1 and not self._queue.waiting_tokens
        return self._sessions.get(alone=alone and job.kind.length >= _WIDE_TOKENS)

    def _compute(self, session: Session, batch: Sequence[Job]) -> None:
        try:
            rows = self._vectors(session, batch)
        except Exception as error:  # as above
            if len(batch) == 1:
                batch[0].done(error)
                return
            for job in batch:  # no text fails for a mate's sake
                self._compute(session, [job])
            return
        for job, vector in zip(batch, rows, strict=True):
            job.done(vector)

    def _vectors(self, session: Session, batch: Sequence[Job]) -> Vectors:
        """Return the finished vectors (B, D) of a batch."""
        kind = batch[0].kind
        ids = np.stack([job.tokens.ids for job in batch])
        if len(ids) == 1 and self._limits.never_alone and self._limits.tokens >= 2 * kind.length:
            ids = np.repeat(ids, 2, axis=0)
        hidden: Hidden = session.run(ids)[: len(batch)]
        poolings = self.spec.pooling
        pooled = pooling.pool(hidden, poolings, prompt=kind.prompt) if poolings else hidden
        for layer in self._dense:
            pooled = layer(pooled)
        return pooling.finish(pooled, dimensions=kind.dimensions, normalize=kind.normalize)


class _Sessions:
    """The graph, loaded for runs on one core each, on all cores, or both: when first needed."""

    def __init__(
        self, open_session: Callable[[int], Session], threads: int, *, small: bool
    ) -> None:
        self._open = open_session
        self._threads = threads
        self._small = small
        self._loaded: dict[int, Session] = {}
        self._lone_texts = 0
        self._lock = threading.Lock()

    def get(self, *, alone: bool) -> Session:
        """Return the session that suits: all cores for a text that is `alone`, else one core.

        The other one does, too, and is taken for a lone text until there have been several. Of a
        large graph whose weights cannot be shared there is one at a time: that for one core from
        the first company on, for which the other makes every thread wait for every other.
        """
        wanted = self._threads if alone else 1
        with self._lock:
            self._lone_texts += alone
            other = next(iter(self._loaded.values()), None)
            if wanted not in self._loaded:
                affordable = self._small or other is None or other.shares_weights
                if other and alone and not (affordable and self._lone_texts > _LONE_TEXTS):
                    return other
                if not affordable:
                    self._loaded.clear()
                del other  # or its weights would stay until the others are there
                self._loaded[wanted] = self._open(wanted)
            return self._loaded[wanted]

    def close(self) -> None:
        with self._lock:
            self._loaded.clear()


def _is_small(spec: ModelSpec) -> bool:
    return spec.size <= _SMALL_GRAPH
