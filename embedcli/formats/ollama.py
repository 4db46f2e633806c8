"""The document that Ollama's `/api/embed` answers with."""

from collections.abc import Sequence

import orjson

from embedcli.records import Embedded

_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def document(
    model: str, embedded: Sequence[Embedded], *, total_duration: int, load_duration: int
) -> bytes:
    """Return the reply as JSON; durations in nanoseconds.

    As in Ollama's own, counters are left out where there was no text (`api/types.go`,
    `EmbedResponse`).
    """
    # A vector a call: orjson holds the interpreter's lock, and a server has other requests, too.
    vectors = b",".join(orjson.dumps(row.vector, option=_NUMPY) for row in embedded)
    counters = {
        "total_duration": total_duration,
        "load_duration": load_duration,
        "prompt_eval_count": sum(row.tokens for row in embedded),
    }
    tail = b"," + orjson.dumps(counters)[1:] if embedded else b"}"
    return b'{"model":%b,"embeddings":[%b]%b' % (orjson.dumps(model), vectors, tail)
