"""Go's durations (`5m`, `1h30m`, `-1`), which say how long a model stays loaded.

Seconds as a float, `math.inf` for ever. The errors are those of Go's `time.ParseDuration`
(https://go.dev/src/time/format.go) and of Ollama's `Duration.UnmarshalJSON`.
"""

import math
import re

from embedcli.errors import InputError
from embedcli.server.gojson import Json

_LONGEST = 2**63  # nanoseconds, 292 years
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_RUN = re.compile(r"(\d*)(?:(\.)(\d*))?([^\d.]*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
_GO_TYPES = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}


def from_json(value: Json) -> float:
    """Return the seconds that a `keep_alive` of number or string means.

    Raises:
        InputError: it is no duration; the text is Go's.
    """
    if type(value) in _GO_TYPES:
        raise InputError(f"Unsupported type: '{_GO_TYPES[type(value)]}'")
    seconds = parse(value) if isinstance(value, str) else float(value)
    # Go's own overflow above 292 years unloads at once, which no one who asks for it can want.
    return math.inf if seconds < 0 or seconds >= _LONGEST / 1e9 else seconds


def from_option(text: str) -> float:
    """Return the seconds that an option or a variable means, where a bare number is seconds too.

    Raises:
        InputError: it is no duration; the text is Go's.
    """
    return from_json(float(text) if _NUMBER.fullmatch(text) else text)


def parse(text: str) -> float:
    """Return the seconds that Go's `time.ParseDuration` reads in `text`; may be negative.

    Raises:
        InputError: the text is Go's.
    """
    invalid = InputError(f"time: invalid duration {_quote(text)}")
    runs = text[1:] if text[:1] in ("+", "-") else text
    if runs == "0":
        return 0.0
    if not runs:
        raise invalid
    total = 0
    while runs:
        run = _RUN.match(runs)
        assert run is not None, "the pattern matches the empty string"
        whole, _, fraction, unit = run.groups(default="")
        if not whole and not fraction:
            raise invalid
        total += _nanoseconds(whole, fraction, unit, text)
        runs = runs[run.end() :]
    if total > _LONGEST - (text[0] != "-"):
        raise invalid
    return (-total if text[0] == "-" else total) / 1e9


def _nanoseconds(whole: str, fraction: str, unit: str, text: str) -> int:
    if not unit:
        raise InputError(f"time: missing unit in duration {_quote(text)}")
    if unit not in _NANOSECONDS:
        raise InputError(f"time: unknown unit {_quote(unit)} in duration {_quote(text)}")
    whole = whole.lstrip("0")
    if len(whole) > 19:  # past 64 bits, whatever the digits
        raise InputError(f"time: invalid duration {_quote(text)}")
    scale = _NANOSECONDS[unit]
    return int(whole or "0") * scale + int(fraction[:18].ljust(18, "0")) * scale // 10**18


def _quote(text: str) -> str:
    r"""Quote as Go's `time` does: what is not printable ASCII becomes `\\xNN`."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').encode()
    return '"' + "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in plain) + '"'
