"""Names and addresses, as Ollama writes them."""

import pytest

from embedcli.server import address, names
from embedcli.server.address import Address

SPELLINGS = {
    "all-minilm": "all-minilm:latest",
    " all-minilm:latest\n": "all-minilm:latest",
    "library/all-minilm": "all-minilm:latest",
    "registry.ollama.ai/library/all-minilm:latest": "all-minilm:latest",
    "all-minilm:LOCAL": "all-minilm:latest",
    "org/name:q8": "org/name:q8",
    "host:5000/org/name": "host:5000/org/name:latest",
}
NONE = [
    "", "..", "../x", "./x", "/x", "~/x", "a//b", "a/", "a/b/c/d", "a:", ":b", "a b", "a@main",
    "-a", ".a", "a/b.c/d", "C:\\x", "ä", "a" * 81, "a\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", SPELLINGS)
def test_one_model_has_many_spellings(text: str) -> None:
    assert str(names.parse(text)) == SPELLINGS[text]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_name_is_none_above_all_no_path(text: str) -> None:
    assert names.parse(text) is None


@pytest.mark.parametrize("text", ["a:cloud", "a:q8-cloud", "a:q8:CLOUD", "a:cloud:local"])
def test_a_cloud_name_is_known_as_such(text: str) -> None:
    assert names.is_remote(text)


def test_names_fold_to_one_case() -> None:
    upper, lower = names.parse("Org/NAME:Q8"), names.parse("org/name:q8")
    assert upper is not None
    assert lower is not None
    assert upper.folded() == lower.folded()


ADDRESSES = {
    "": Address(),
    "1.2.3.4": Address("1.2.3.4"),
    "1.2.3.4:1234": Address("1.2.3.4", 1234),
    ":1234": Address("127.0.0.1", 1234),
    "example.com": Address("example.com"),
    "http://1.2.3.4": Address("1.2.3.4", 80),
    "https://1.2.3.4": Address("1.2.3.4", 443),
    "https://1.2.3.4:1234/ollama": Address("1.2.3.4", 1234),
    "[::1]": Address("::1"),
    "[::1]:1337": Address("::1", 1337),
    "::1": Address("::1"),
    "1.2.3.4:66000": Address("1.2.3.4"),
    "1.2.3.4:-1": Address("1.2.3.4"),
    "localhost:": Address("localhost"),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read_as_from_ollamas_variable(text: str) -> None:
    assert address.parse(text) == ADDRESSES[text]


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.com", False)],
)  # fmt: skip
def test_only_a_loopback_address_is_this_machines_alone(host: str, local: bool) -> None:
    assert address.is_loopback(host) is local
