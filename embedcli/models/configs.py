"""The JSON files of a model's folder, read with care: any of them may be missing or damaged."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, cast

from embedcli.errors import ModelError

_HEAD: Final = 4 << 20  # bytes of tokenizer.json that hold all but its vocabulary


@dataclass(frozen=True, slots=True)
class Config:
    """One JSON object and the file it came from; a file that is not there is an empty one.

    Every method raises ModelError where a value is of another type than its name promises.
    """

    source: str  # as a person would name the file: relative to the model's folder
    values: Mapping[str, object]

    def __bool__(self) -> bool:
        return bool(self.values)

    def number(self, key: str) -> int | None:
        """Return a whole number; None where it is absent or null."""
        value = self.values.get(key)
        if isinstance(value, float) and value.is_integer():  # model_max_length is often 1e30
            value = int(value)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._wrong(key, "a whole number")

    def text(self, key: str) -> str | None:
        """Return a string; None where it is absent or null."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(key, "a string")

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false, or `default` where it is absent or null."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        raise self._wrong(key, "true or false")

    def texts(self, key: str) -> dict[str, str]:
        """Return an object of strings; its nulls are left out, for they say nothing."""
        value = self.values.get(key)
        pairs = value.items() if isinstance(value, dict) else ()
        said = {name: text for name, text in pairs if text is not None}
        if not isinstance(value, dict | None) or not all(isinstance(t, str) for t in said.values()):
            raise self._wrong(key, "an object of strings")
        return cast("dict[str, str]", said)

    def token(self, key: str) -> str | None:
        """Return a special token, which is a string or an object with its `content`."""
        value = self.values.get(key)
        return (
            Config(self.source, value).text("content")
            if isinstance(value, dict)
            else self.text(key)
        )

    def _wrong(self, key: str, kind: str) -> ModelError:
        return ModelError(f"`{self.source}` is damaged: `{key}` should be {kind}")


class Configs:
    """The JSON files of one model: in its root, or beside its graph where the root has none."""

    def __init__(self, folder: Path, graph: Path) -> None:
        self.folder = folder
        self._roots = list(dict.fromkeys([folder, graph.parent]))

    def path(self, name: str) -> Path | None:
        """Return where a file lies, or None."""
        return next((root / name for root in self._roots if (root / name).is_file()), None)

    def read(self, name: str) -> Config:
        """Read a JSON object; a file that is not there is an empty one.

        Raises:
            ModelError: it cannot be read, is not JSON, or no object.
        """
        path = self.path(name)
        return self._object(path, _parse(_bytes(path), path)) if path else Config(name, {})

    def modules(self) -> list[Config]:
        """Read modules.json, sentence-transformers' list of what a text goes through."""
        path = self.path("modules.json")
        entries = _parse(_bytes(path), path) if path else []
        if not isinstance(entries, list):
            raise ModelError("`modules.json` is damaged: it should be a list")
        return [self._object(self.folder / "modules.json", entry) for entry in entries]

    def tokenizer(self) -> Config:
        """Read tokenizer.json without its vocabulary, which a fast look has no time for.

        Tokenizers writes the `model`, with the vocabulary, last; where some other program wrote
        it first, the whole file is read.

        Raises:
            ModelError: it is missing, damaged, or cannot be read.
        """
        path = self.path("tokenizer.json")
        if path is None:
            raise ModelError(
                f"the model in `{self.folder}` has no tokenizer.json",
                hint="an ONNX model needs the tokenizer that it was trained with beside it",
            )
        head = _bytes(path, _HEAD).decode(errors="ignore")
        with suppress(ValueError, IndexError, RecursionError):
            values = dict(_before_model(head))
            if "added_tokens" in values:
                return Config(path.name, values)
        return self._object(path, _parse(_bytes(path), path))

    def _object(self, path: Path, value: object) -> Config:
        name = str(path.relative_to(self.folder))
        if not isinstance(value, dict):
            raise ModelError(f"`{name}` is damaged: it should hold objects")
        return Config(name, value)


def inside(path: str) -> str:
    """Return a relative path that a file of the model names, refused where it leads elsewhere.

    Raises:
        ModelError: it is absolute, or climbs out of the folder.
    """
    parts = PurePosixPath(path).parts
    if ".." in parts or path.startswith("/") or "\\" in path or ":" in path:
        raise ModelError(f"`modules.json` is not safe: `{path}` leads out of the model's folder")
    return path


def _bytes(path: Path, most: int = -1) -> bytes:
    """Return a file's first `most` bytes; all of them for -1."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror}") from error


def _parse(data: bytes, path: Path) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"`{path}` is damaged: it is not JSON: {error}", hint="delete it and fetch it anew"
        ) from error


def _before_model(text: str) -> Iterator[tuple[str, object]]:
    """Yield the keys and values of a JSON object up to its key `model`."""
    decode, at = json.JSONDecoder().raw_decode, _skip(text, 0, "{")
    while True:
        key, at = decode(text, at)
        at = _skip(text, at, ":")
        if key == "model":
            return
        value, at = decode(text, at)
        yield key, value
        at = _skip(text, at, ",")


def _skip(text: str, at: int, mark: str) -> int:
    """Return the place after white space, `mark` and white space.

    Raises:
        ValueError: there is no such mark.
    """
    after = text.index(mark, at) + 1
    if text[at : after - 1].strip():
        raise ValueError(f"expected {mark}")
    while text[after].isspace():
        after += 1
    return after
