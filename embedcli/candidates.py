"""What a query is compared with: texts that get a vector now, or vectors that were stored."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from embedcli.errors import InputError
from embedcli.formats import objects, stored
from embedcli.formats.record import TEXT, Record, Reject
from embedcli.models.spec import ModelSpec
from embedcli.provenance import provenance
from embedcli.records import Options

# In the order in which sentence-transformers looks for the prompt of a document
# (`SentenceTransformer.encode_document`).
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_QUERY_PROMPT = "query"

_OURS = {TEXT, "tokens", "truncated", stored.FIELD}

# What two sets of vectors must have in common to be compared, and how a person says it.
_SHARED = {
    "files": "another model",
    "pooling": "another pooling",
    "prefix": "another prompt",
    "dimensions": "another number of dimensions",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where something stands that is compared, and, once that is asked for, what it says.

    Few candidates of many are shown, so a record is decoded no earlier, and each time anew.
    """

    source: str
    line: int
    given: str | None = None  # its text, where that is known without decoding
    record: Record | None = None  # where it was read from one

    @property
    def text(self) -> str | None:
        """Its text; None where only its vector was stored."""
        text = self._decoded().get(TEXT) if self.given is None else self.given
        return text if isinstance(text, str) else None

    @property
    def fields(self) -> Mapping[str, object]:
        """The caller's fields, less those of ours."""
        decoded = self._decoded()
        return {name: value for name, value in decoded.items() if name not in _OURS}

    def light(self) -> "Candidate":
        """Return it without the spelling of its vector, which is long: one to be held."""
        record = self.record
        if (
            record is None
            or stored.FIELD not in record.names
            or not isinstance(record.fields, bytes)
        ):
            return self
        fields = objects.without(record.fields, stored.FIELD)
        return replace(self, record=replace(record, fields=fields))

    def _decoded(self) -> Mapping[str, object]:
        if self.record is None:
            return {}
        raw = self.record.fields
        # Not by orjson, which makes whole numbers of more than 64 bits into floats.
        fields: Mapping[str, object] = json.loads(raw if isinstance(raw, bytes) else raw.json())
        return fields


def of_stored(record: Record) -> Candidate:
    """Return a record whose vector was stored as a candidate."""
    return Candidate(record.source, record.line, record=record)


def of_arguments(texts: Sequence[str]) -> Iterator[Candidate]:
    """Yield the texts of a command line as candidates."""
    return (Candidate("argument", number, text) for number, text in enumerate(texts, 1))


def of_records(records: Iterable[Record | Reject]) -> Iterator[Candidate]:
    """Yield the records of an input as candidates.

    Raises:
        InputError: a record cannot be read.
    """
    for record in records:
        if isinstance(record, Reject):
            raise record.error("mend the record, or leave it out")
        yield Candidate(record.source, record.line, record.text, record)


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
