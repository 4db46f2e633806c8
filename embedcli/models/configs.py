"""The JSON files of a model's folder, read with care: any of them may be missing or damaged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from embedcli.errors import ModelError


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
        return self._object(path, _parse(path)) if path else Config(name, {})

    def modules(self) -> list[Config]:
        """Read modules.json, sentence-transformers' list of what a text goes through."""
        path = self.path("modules.json")
        entries = _parse(path) if path else []
        if not isinstance(entries, list):
            raise ModelError("`modules.json` is damaged: it should be a list")
        return [self._object(self.folder / "modules.json", entry) for entry in entries]

    def tokenizer(self) -> Path:
        """Return where tokenizer.json lies.

        Raises:
            ModelError: it is missing.
        """
        path = self.path("tokenizer.json")
        if path is None:
            raise ModelError(
                f"the model in `{self.folder}` has no tokenizer.json",
                hint="an ONNX model needs the tokenizer that it was trained with beside it",
            )
        return path

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


def _parse(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"`{path}` is damaged: it is not JSON: {error}", hint="delete it and fetch it anew"
        ) from error
