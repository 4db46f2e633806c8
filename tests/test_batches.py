"""The queue: one length a batch, a budget of tokens, and turns."""

import numpy as np

from embedcli.engine.batches import Job, Kind, Limits, Queue, Submission
from embedcli.records import Tokens


def job(length: int, **kind: bool) -> Job:
    tokens = Tokens(np.zeros(length, np.int64), truncated=False)
    return Job(tokens, Kind(length, 0, None, kind.get("normalize", True)), print, lone=False)


def put(queue: Queue, jobs: list[Job]) -> Submission:
    submission = Submission()
    for one in jobs:
        queue.put(submission, one)
    return submission


def drain(queue: Queue) -> list[list[Job]]:
    batches = []
    while batch := queue.next_batch():
        batches.append(batch)
    return batches


def test_a_batch_holds_texts_of_one_length_around_the_oldest() -> None:
    queue = Queue(Limits(tokens=100, texts=100))
    jobs = [job(3), job(5), job(3), job(5), job(4)]
    put(queue, jobs)
    assert drain(queue) == [[jobs[0], jobs[2]], [jobs[1], jobs[3]], [jobs[4]]]


def test_a_batch_keeps_to_its_limits() -> None:
    queue = Queue(Limits(tokens=10, texts=2))
    put(queue, [job(3) for _ in range(5)] + [job(6) for _ in range(2)] + [job(50)])
    assert [len(batch) for batch in drain(queue)] == [2, 2, 1, 1, 1, 1]


def test_texts_to_be_finished_differently_are_kept_apart() -> None:
    queue = Queue(Limits(tokens=100, texts=100))
    put(queue, [job(3), job(3, normalize=False)])
    assert [len(batch) for batch in drain(queue)] == [1, 1]


def test_one_text_does_not_wait_for_ten_thousand() -> None:
    queue = Queue(Limits(tokens=30, texts=30))
    put(queue, [job(3) for _ in range(10_000)])
    single = job(7)
    put(queue, [single])
    queue.next_batch()
    assert queue.next_batch() == [single]


def test_texts_of_several_callers_share_a_batch() -> None:
    queue = Queue(Limits(tokens=100, texts=100))
    first, second = job(3), job(3)
    put(queue, [first])
    put(queue, [second])
    assert drain(queue) == [[first, second]]


def test_what_is_cancelled_is_forgotten() -> None:
    queue = Queue(Limits(tokens=100, texts=100))
    dropped = put(queue, [job(3), job(4)])
    kept = job(3)
    put(queue, [kept])
    queue.cancel(dropped)
    assert queue.waiting_tokens == 3
    assert drain(queue) == [[kept]]
    assert queue.waiting_tokens == 0
