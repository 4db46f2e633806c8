"""What a caller asks for, held against what the model has; for clients of a server, too."""

from embedcli.errors import UsageError
from embedcli.models.spec import ModelSpec
from embedcli.records import Options


def prefix(spec: ModelSpec, options: Options) -> str:
    """Return what is put before every text.

    Raises:
        UsageError: the model has no prompt of that name, or the literal one is not Unicode.
    """
    if options.prefix is not None:
        return _unicode(options.prefix)
    name = options.prompt if options.prompt is not None else spec.default_prompt
    if name is None:
        return ""
    if name not in spec.prompts:
        known = ", ".join(f"`{prompt}`" for prompt in spec.prompts)
        raise UsageError(
            f"`{spec.name}` has no prompt `{name}`: it has {known or 'none'}",
            hint="give the words themselves with --prefix",
        )
    return spec.prompts[name]


def _unicode(prefix: str) -> str:
    """Return a prefix that can be sent and tokenised: half of a surrogate pair cannot."""
    try:
        prefix.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the prefix is not Unicode: {error.reason}") from error
    return prefix


def limit(spec: ModelSpec, options: Options) -> int:
    """Return how many tokens a text may have.

    Raises:
        UsageError: none at all are asked for.
    """
    if options.max_tokens is None:
        return spec.max_tokens
    if options.max_tokens < 1:
        raise UsageError(f"a limit of {options.max_tokens} tokens is not possible: the least is 1")
    most = spec.context if options.raises_limit else None
    return min(options.max_tokens, most or spec.max_tokens)


def dimensions(spec: ModelSpec, options: Options) -> int | None:
    """Return how many values of a vector are kept; None for all.

    Raises:
        UsageError: the model has not so many.
    """
    wanted = options.dimensions
    if wanted is None or wanted == spec.dimensions:
        return None
    if not 1 <= wanted < spec.dimensions:
        raise UsageError(
            f"{wanted} dimensions are not possible: `{spec.name}` has {spec.dimensions}",
            hint=f"ask for 1 to {spec.dimensions}",
        )
    return wanted
