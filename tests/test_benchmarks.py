"""Every benchmark still runs, at its smallest; what it measures is for its table to say."""

from benchmarks import engine, models, serve, similar, startup


def test_start_up_is_compared_with_a_bare_process() -> None:
    assert startup.run(rounds=1).count("\n") == 5


def test_the_engine_is_compared_with_bare_onnxruntime() -> None:
    assert engine.run(texts=20, rounds=1).count("\n") == 3


def test_similar_is_compared_with_reading_and_with_itself() -> None:
    assert similar.run(rows=2000, lines=20, rounds=1).count("\n") == 3


def test_other_models_cost_what_the_tables_say() -> None:
    assert models.run_dynamic(texts=10, rounds=1, hidden=64, layers=1).count("\n") == 4
    assert models.run_starts(rounds=1, hidden=64, layers=1).count("\n") == 4


def test_the_server_is_put_under_load() -> None:
    assert serve.run(texts=40, rounds=1, requests=50).count("\n") == 11
