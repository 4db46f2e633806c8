"""How texts become batches: they wait grouped by length, and a core that is free takes the next.

Texts of exactly one length go together, so nothing is padded: no work is wasted, and a vector
cannot depend on how long its mates were. Measured, this is as fast as padding to the nearest
length, since a batch of a few hundred tokens already keeps a core busy.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from embedcli.records import Tokens, Vector


@dataclass(frozen=True, slots=True)
class Kind:
    """What the texts of one batch have in common."""

    length: int  # tokens
    prompt: int  # leading tokens that leave the pooling
    dimensions: int | None
    normalize: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into a batch."""

    tokens: int  # a single text may have more
    texts: int
    never_alone: bool = False  # a text that could have company is run twice rather than alone


@dataclass(slots=True, eq=False)
class Job:
    """A text that waits for its vector, which `done` is told, or the error in its place."""

    tokens: Tokens
    kind: Kind
    done: Callable[[Vector | Exception], None]
    lone: bool  # the only text its caller handed in
    taken: bool = False


@dataclass(slots=True, eq=False)
class Submission:
    """Texts that one caller handed in. Callers take turns, however many texts each has waiting."""

    jobs: deque[Job] = field(default_factory=deque)


class Queue:
    """The texts that wait for a core, of all submissions; safe to use from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._turns: deque[Submission] = deque()
        self._by_kind: dict[Kind, deque[Job]] = defaultdict(deque)
        self._waiting_tokens = 0

    @property
    def waiting_tokens(self) -> int:
        """How many tokens no core has taken yet."""
        return self._waiting_tokens

    def put(self, submission: Submission, job: Job) -> None:
        """Let `job` wait behind the others of `submission`."""
        with self._lock:
            if not submission.jobs:
                self._turns.append(submission)
            submission.jobs.append(job)
            self._by_kind[job.kind].append(job)
            self._waiting_tokens += len(job.tokens.ids)

    def cancel(self, submission: Submission) -> None:
        """Forget what waits of `submission`; what is being computed is finished."""
        with self._lock:
            for job in submission.jobs:
                self._take(job)
            for kind in {job.kind for job in submission.jobs}:
                left = deque(job for job in self._by_kind.pop(kind, ()) if not job.taken)
                if left:
                    self._by_kind[kind] = left
            submission.jobs.clear()

    def next_batch(self) -> list[Job]:
        """Take a batch: the oldest text of the submission whose turn it is, and others of its kind.

        Empty when nothing waits. Each submission's oldest text is taken within as many batches as
        there are submissions, so a caller with one text never waits for one with ten thousand.
        """
        with self._lock:
            seed = self._oldest_in_turn()
            if seed is None:
                return []
            batch = [seed]
            room = min(self._limits.texts, self._limits.tokens // max(1, seed.kind.length)) - 1
            mates = self._by_kind[seed.kind]
            while mates and len(batch) <= room:
                job = mates.popleft()
                if not job.taken:
                    self._take(job)
                    batch.append(job)
            while mates and mates[0].taken:
                mates.popleft()
            if not mates:
                del self._by_kind[seed.kind]
            return batch

    def _oldest_in_turn(self) -> Job | None:
        while self._turns:
            submission = self._turns.popleft()
            while submission.jobs:
                job = submission.jobs.popleft()
                if job.taken:
                    continue
                self._take(job)
                if submission.jobs:
                    self._turns.append(submission)
                return job
        return None

    def _take(self, job: Job) -> None:
        """Mark `job` as no longer waiting; the other list that holds it drops it in passing."""
        if not job.taken:
            job.taken = True
            self._waiting_tokens -= len(job.tokens.ids)
