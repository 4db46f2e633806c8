"""Every benchmark still runs, at its smallest; what it measures is for its table to say."""

from pathlib import Path

import benchmarks
from benchmarks import __main__ as all_of_them
from benchmarks import engine, file, int8, models, serve, similar, soak, startup


def test_start_up_is_compared_with_a_bare_process() -> None:
    assert startup.run(rounds=1).count("\n") == 5


def test_the_engine_is_compared_with_bare_onnxruntime() -> None:
    assert engine.run(texts=20, rounds=1).count("\n") == 3


def test_similar_is_compared_with_reading_and_with_itself() -> None:
    assert similar.run(rows=2000, lines=20, rounds=1).count("\n") == 3


def test_other_models_cost_what_the_tables_say() -> None:
    assert models.run_dynamic(texts=10, rounds=1, hidden=64, layers=1).count("\n") == 4
    assert models.run_starts(rounds=1, hidden=64, layers=1).count("\n") == 4


def test_files_are_compared_with_bare_onnxruntime() -> None:
    assert file.speed(texts=20, rounds=1).count("\n") == 7


def test_the_memory_of_files_is_measured() -> None:
    assert file.memory(lines=600, line=100_000).count("\n") == 5


def test_every_benchmark_is_run_with_the_others() -> None:
    folder = Path(benchmarks.__file__).parent
    alone = {room.stem for room in folder.glob("*.py") if "Run as `python -m" in room.read_text()}
    assert set(all_of_them.TABLES) == alone


def test_the_table_of_the_machine_names_it() -> None:
    assert "onnxruntime 1." in all_of_them.machine()
    assert "cores" in all_of_them.machine()


def test_the_server_is_put_under_load() -> None:
    assert serve.run(texts=40, rounds=1, requests=50).count("\n") == 11


def test_the_model_in_8_bits_is_compared_with_its_original() -> None:
    assert int8.run(number=20, timed=10, rounds=1, starts=1).count("\n") == 8


def test_the_server_is_put_under_load_for_long() -> None:
    assert soak.run(1, seconds=1).count("\n") == 2
