"""The key that a server asks for, as both of its ends read it."""

from embedcli.errors import UsageError


def read(given: str) -> str:
    """Return a key without the blanks and line ends around it, which files and shells leave there.

    Raises:
        UsageError: a header of HTTP cannot carry it to the same bytes at both ends.
    """
    key = given.strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            "the key holds characters that are no printable ASCII",
            hint="choose one of letters and digits, such as `openssl rand -hex 32` prints",
        )
    return key
