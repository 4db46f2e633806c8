"""README's pictures show what the program prints, and what the benchmarks found."""

import re
from html import unescape

from tools import make_pictures


def words(svg: str) -> list[str]:
    """Return the texts of a picture, less the last digits of a score: the processor's own."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    return [re.sub(r"(\d\.\d{3})\d\b", r"\1", unescape(text)) for text in texts]


def test_the_terminal_shows_what_the_program_prints() -> None:
    drawn = (make_pictures.FOLDER / "similar.svg").read_text("utf-8")
    assert words(make_pictures.session()) == words(drawn)


def test_the_bars_are_those_of_the_benchmarks() -> None:
    results = make_pictures.RESULTS.read_text("utf-8")
    drawn = (make_pictures.FOLDER / "throughput.svg").read_text("utf-8")
    assert make_pictures.plot(make_pictures.throughputs(results)) == drawn
