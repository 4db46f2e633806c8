"""The document that Ollama's `/api/embed` answers with."""

from collections.abc import Sequence

import orjson

from embedcli.records import Embedded


def document(
    model: str, embedded: Sequence[Embedded], *, total_duration: int, load_duration: int
) -> bytes:
    """Return the reply as JSON; durations in nanoseconds.

    As in Ollama's own, counters are left out where there was no text (`api/types.go`,
    `EmbedResponse`).
    """
    fields: dict[str, object] = {"model": model, "embeddings": [row.vector for row in embedded]}
    if embedded:
        fields["total_duration"] = total_duration
        fields["load_duration"] = load_duration
        fields["prompt_eval_count"] = sum(row.tokens for row in embedded)
    return orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
