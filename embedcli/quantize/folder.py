"""The folder of a quantised model: its graph, and all that says how text goes into it."""

import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from embedcli import __version__
from embedcli.errors import OutputError
from embedcli.models import layout
from embedcli.models.spec import ModelSpec
from embedcli.quantize.report import Report, table

_GRAPH = "onnx/model.onnx"
_PROMPTS = "config_sentence_transformers.json"
_LIMIT = "sentence_bert_config.json"
_POOLING = "1_Pooling/config.json"
_NAMES = {"weighted_mean": "weightedmean", "mean_sqrt": "mean_sqrt_len_tokens", "last": "lasttoken"}


@contextmanager
def whole(path: Path) -> Generator[Path]:
    """Lend a folder beside `path`, and rename it to `path` once the block has ended well.

    Raises:
        OutputError: it cannot be written, or there is something already.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  # `.` has no name, and links stay as typed
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(f"`{path}` is there already", hint="name a new folder, or remove it")
        part.mkdir(parents=True)
        yield part
        if path.exists():
            path.rmdir()
        part.rename(path)
    except OSError as error:
        raise OutputError(f"cannot write `{path}`: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def graph_in(folder: Path) -> Path:
    """Return where the graph of a folder belongs, and make room for it."""
    path = folder / _GRAPH
    path.parent.mkdir()
    return path


def fill(folder: Path, spec: ModelSpec) -> None:
    """Copy the files of a model that are no graph, and write down what its files do not say."""
    files = [file for file in spec.folder.rglob("*") if file.is_file()]
    names = [file.relative_to(spec.folder).as_posix() for file in files]
    legal = [name for name in names if name.startswith(("LICENSE", "NOTICE"))]
    graph = spec.graph.relative_to(spec.folder)
    for name in layout.configs(names, graph.as_posix()) + legal:
        target = folder / name
        if graph.parent != Path() and Path(name).parent == graph.parent:
            target = folder / Path(_GRAPH).with_name(target.name)  # beside its own graph, again
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(spec.folder / name, target)
    if spec.pooling and not spec.sources["pooling"].endswith(".json"):
        modes = [_NAMES.get(way.value, way.value) for way in spec.pooling]
        _merge(folder / _POOLING, {"pooling_mode": modes, "include_prompt": spec.include_prompt})
    if not spec.sources["max_tokens"].endswith(".json"):
        _merge(folder / _LIMIT, {"max_seq_length": spec.max_tokens})
    if spec.prompts:
        prompts = {"prompts": dict(spec.prompts), "default_prompt_name": spec.default_prompt}
        _merge(folder / _PROMPTS, prompts)


def card(folder: Path, spec: ModelSpec, report: Report, *, calibration: str, wish: str) -> None:
    """Write README.md: where the model comes from, how it was quantised, and what that cost."""
    origin = f"`{spec.name}`" + (f" at revision `{spec.revision}`" if spec.revision else "")
    kept = "\n".join(f"- `{name}`: {why}" for name, why in report.kept) or "None."
    text = f"""\
# {spec.name}, in 8 bits

{origin}, quantised by `embed quantize` of embedcli {__version__}. Run it with
`embed text -m ./FOLDER "a text"`; tokenizer, pooling and prompts are those of the original, whose
licence holds.

The matrix products are computed on 8-bit integers, with ranges that are part of the graph (static):
a text's vector is the same to the bit in any company. Factors for each channel move outliers of the
inputs into the weights (SmoothQuant), the weights are rounded so that they make up for each other's
errors (GPTQ), and no two neighbours overflow on a CPU without VNNI. Biases make up for what
quantising changes on average. Tables of embeddings are stored in 8 bits, each row with its scale.

Calibrated on {calibration}. {wish}

## Report

{table(report)}

## Left as it was

{kept}
"""
    (folder / "README.md").write_text(text, "utf-8")


def _merge(path: Path, values: Mapping[str, object]) -> None:
    """Put values into a JSON object, which may not be there yet."""
    before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**before, **values}, ensure_ascii=False, indent=2) + "\n", "utf-8")
