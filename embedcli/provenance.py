"""What vectors were made by: enough to tell whether others may be compared with them."""

from embedcli.engine.asked import limit, prefix
from embedcli.models import hashes
from embedcli.models.spec import ModelSpec
from embedcli.records import Options


def provenance(spec: ModelSpec, options: Options, *, dtype: str = "float32") -> dict[str, object]:
    """Return the facts that a vector depends on beside its text, in plain values.

    Raises:
        UsageError: `options` asks for what the model does not have.
        ModelError: the model is damaged.
    """
    return {
        "model": spec.name,
        "revision": spec.revision,
        "files": hashes.of_model(spec),
        "pooling": [pooling.value for pooling in spec.pooling],
        "prompt": options.prompt if options.prompt is not None else spec.default_prompt,
        "prefix": prefix(spec, options),
        "dimensions": options.dimensions or spec.dimensions,
        "normalize": options.normalize,
        "max_tokens": limit(spec, options),
        "truncate": options.truncate,
        "dtype": dtype,
    }
