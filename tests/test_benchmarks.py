"""Every benchmark still runs, at its smallest; what it measures is for its table to say."""

from benchmarks import engine, startup


def test_start_up_is_compared_with_a_bare_process() -> None:
    assert startup.run(rounds=1).count("\n") == 5


def test_the_engine_is_compared_with_bare_onnxruntime() -> None:
    assert engine.run(texts=20, rounds=1).count("\n") == 3
