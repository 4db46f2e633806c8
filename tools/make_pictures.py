"""Make the pictures of README: a terminal session, and the throughputs of benchmarks/RESULTS.md.

    python tools/make_pictures.py

They are drawn anew from what the program prints and from what the benchmarks found, never by hand.
"""

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tools/pictures"
RESULTS = ROOT / "benchmarks/RESULTS.md"

COLUMNS = 72
LINES = "how do I reset my password?\nwhere is my parcel?\ncan I pay by invoice?\n"
QUERY = ["similar", "forgot my login", "--in", "faq.txt"]

BAR, GAP, LEFT, WIDE = 22, 10, 250, 330  # pixels
_FONT = "font-family='system-ui,sans-serif' font-size='13'"


def session() -> str:
    """Return an SVG of a terminal in which `embed similar` has run."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "faq.txt").write_text(LINES)
        shown = _on_a_terminal([sys.executable, "-m", "embedcli", *QUERY], folder)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(f'[bold green]$ [/]embed similar "{QUERY[1]}" --in faq.txt', highlight=False)
    console.print(Text.from_ansi(shown.rstrip()))
    svg = console.export_svg(title="embed similar", unique_id="similar")
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # nothing is fetched


def _on_a_terminal(command: list[str], folder: str) -> str:
    """Return what a command prints on a terminal, its colours included."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    done = subprocess.run(
        command, cwd=folder, stdout=theirs, stderr=subprocess.DEVNULL, env=environment, check=True
    )
    assert done.returncode == 0
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:  # the other end is closed: Linux's way to say that this is all
        pass
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def throughputs(results: str) -> dict[str, float]:
    """Return throughputs by name, that of `all-minilm` being 1, from the table of `embed file`."""
    table = results[results.index("| throughput of `embed file`") :].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    times = {name: (ours, int8) for name, ours, int8 in rows if ours != "not here"}
    faster = float(times.pop("`all-minilm`")[1])
    found = {"embed, all-minilm:int8": faster, "embed, all-minilm": 1.0}
    for name, (ours, _) in times.items():
        if "onnxruntime" not in name and "peak" not in name:
            found[name] = 1 / float(ours)
    return found


def plot(found: dict[str, float]) -> str:
    """Return an SVG of bars, the longest for the highest throughput."""
    height = len(found) * (BAR + GAP) + GAP + 24
    width = LEFT + WIDE + 60
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' {_FONT}>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
    ]
    for at, (name, speed) in enumerate(sorted(found.items(), key=lambda entry: -entry[1])):
        top = GAP + at * (BAR + GAP)
        length = speed / max(found.values()) * WIDE
        colour = "#0a7ea4" if name.startswith("embed") else "#9aa5ab"
        middle = f"y='{top + BAR * 0.7:.0f}' fill='#222'"
        parts += [
            f"<text x='{LEFT - 10}' {middle} text-anchor='end'>{escape(name)}</text>",
            f"<rect x='{LEFT}' y='{top}' width='{length:.1f}' height='{BAR}' fill='{colour}'/>",
            f"<text x='{LEFT + length + 8:.1f}' {middle}>{speed:.2f}</text>",
        ]
    said = "texts a second, embed with all-minilm = 1; from benchmarks/RESULTS.md"
    parts.append(f"<text x='{GAP}' y='{height - 8}' fill='#666' font-size='11'>{said}</text>")
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "similar.svg").write_text(session(), "utf-8")
    (FOLDER / "throughput.svg").write_text(plot(throughputs(RESULTS.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
