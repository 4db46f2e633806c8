"""What a query is compared with: texts that get a vector now, or vectors that were stored."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from embedcli.errors import InputError
from embedcli.formats import stored
from embedcli.formats.record import Record, Reject
from embedcli.models.spec import ModelSpec
from embedcli.provenance import provenance
from embedcli.records import Options

# In the order in which sentence-transformers looks for the prompt of a document
# (`SentenceTransformer.encode_document`).
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_QUERY_PROMPT = "query"

# What two sets of vectors must have in common to be compared, and how a person says it.
_SHARED = {
    "files": "another model",
    "pooling": "another pooling",
    "prefix": "another prompt",
    "dimensions": "another number of dimensions",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text and where it stands; `text` is None where only its vector was stored."""

    text: str | None
    source: str
    line: int
    fields: Mapping[str, object]  # the caller's, less those of ours


def of_record(record: Record, *, text: str | None) -> Candidate:
    """Return a record as a candidate."""
    raw = record.fields if isinstance(record.fields, bytes) else record.fields.json()
    fields = json.loads(raw)
    ours = {"text", "tokens", "truncated", stored.FIELD}
    own_text = fields.get("text") if text is None else text
    kept = {name: value for name, value in fields.items() if name not in ours}
    return Candidate(
        own_text if isinstance(own_text, str) else None, record.source, record.line, kept
    )


def of_arguments(texts: Sequence[str]) -> Iterator[Candidate]:
    """Yield the texts of a command line as candidates."""
    return (Candidate(text, "argument", number, {}) for number, text in enumerate(texts, 1))


def of_records(records: Iterable[Record | Reject]) -> Iterator[Candidate]:
    """Yield the records of an input as candidates.

    Raises:
        InputError: a record cannot be read.
    """
    for record in records:
        if isinstance(record, Reject):
            raise record.error("mend the record, or leave it out")
        yield of_record(record, text=record.text)


def sides(spec: ModelSpec, options: Options) -> tuple[Options, Options]:
    """Return the options for the query, and those for what it is compared with.

    A prompt that is named goes on both. Otherwise a model that has a prompt for queries and one
    for documents gets each where it belongs.
    """
    if options.prompt is not None or options.prefix is not None:
        return options, options
    query = _QUERY_PROMPT if _QUERY_PROMPT in spec.prompts else None
    document = next((name for name in _DOCUMENT_PROMPTS if name in spec.prompts), None)
    return replace(options, prompt=query), replace(options, prompt=document)


def check(name: str, width: int, spec: ModelSpec, options: Options) -> None:
    """Make sure that the stored vectors of `name`, `width` values each, fit what `options` gives.

    Raises:
        InputError: they were made otherwise; says how, and which command would make them fit.
    """
    wanted = provenance(spec, options)
    facts = stored.made_by(name)
    if facts is not None:
        for fact, words in _SHARED.items():
            if fact in facts and facts[fact] != wanted[fact]:
                told = facts["model"] if fact == "files" else facts[fact]
                ours = spec.name if fact == "files" else wanted[fact]
                raise InputError(
                    f"the vectors of `{name}` belong to {words}: {_said(told)}, not {_said(ours)}",
                    hint=f"make them anew: {_command(name, spec, options)}",
                )
    if width != wanted["dimensions"]:
        raise InputError(
            f"the vectors of `{name}` have {width} dimensions, the query {wanted['dimensions']}",
            hint=f"ask for as many with -d {width}, or name the model that made them with -m",
        )


def is_unit(name: str) -> bool:
    """Say whether stored vectors are known to have length 1."""
    facts = stored.made_by(name)
    return facts is not None and facts.get("normalize") is True and facts.get("dtype") == "float32"


def _said(fact: object) -> str:
    return json.dumps(fact, ensure_ascii=False)


def _command(name: str, spec: ModelSpec, options: Options) -> str:
    words = ["embed file INPUT", f"-m {spec.name}"]
    if options.prefix is not None:
        words.append(f"--prefix {_said(options.prefix)}")
    elif options.prompt is not None:
        words.append(f"--prompt {options.prompt}")
    if options.dimensions is not None:
        words.append(f"-d {options.dimensions}")
    if not options.normalize:
        words.append("--no-normalize")
    return " ".join([*words, f"-o {Path(name).name}"])
