"""The only door to onnxruntime: a graph, and how to run it on a batch of token ids."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from embedcli.engine import copies as copying
from embedcli.errors import ModelError, UsageError
from embedcli.models.spec import ModelSpec
from embedcli.records import Hidden

Ids: TypeAlias = NDArray[np.int64]  # (B, T), texts of one length
Fed: TypeAlias = NDArray[Any]  # of the shape and type that an input asks for

_TYPES = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}

# Some operators of small types fail to load only when fused: float16 casts, above all.
_LEVELS = (
    onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
)

_NO_DEVICE = "leave out --device to use the CPU"

VERSION: str = onnxruntime.__version__


class Session:
    """An ONNX graph, ready to run; safe to run from several threads at once."""

    def __init__(
        self,
        spec: ModelSpec,
        *,
        threads: int,
        device: str = "cpu",
        copies: Path | None = None,
    ) -> None:
        """Load the graph of `spec`, to compute with `threads` cores a run.

        With a folder for `copies`, an optimised copy is loaded from there, and made if there is
        none. The vectors are the same.

        Raises:
            ModelError: the graph is missing, damaged, or of a kind that cannot be run.
            UsageError: `device` is not there, fails, or would leave the work to the CPU.
        """
        providers = _providers(device)
        if copies is None:
            self._onnx, self.shares_weights = _open(spec.graph, threads, providers), False
        else:
            copy = copies / copying.name(spec, runtime=VERSION, provider=providers[0])
            self._onnx = _open_copy(spec, threads, providers, copy)
            # Another session of the graph would take little memory of its own.
            self.shares_weights = copying.is_whole(copy)
        self.threads = threads
        self._output = spec.output
        self._feeders = {
            argument.name: _feeder(argument, spec) for argument in self._onnx.get_inputs()
        }
        if len(providers) > 1:
            self._prove(spec.graph, device)

    def run(self, ids: Ids) -> Hidden:
        """Run the graph on ids (B, T), texts of one length, unpadded.

        Returns the hidden states (B, T, D) float32, or the vectors (B, D) of a graph that pools.

        Raises:
            ModelError: onnxruntime failed, for instance for want of memory.
        """
        return self.values(ids, [self._output])[0]

    def values(self, ids: NDArray[np.int64], names: Sequence[str]) -> list[Hidden]:
        """Run the graph on ids (B, T) and return any of its outputs, as float32.

        Raises:
            ModelError: onnxruntime failed, for instance for want of memory.
        """
        try:
            results = self._onnx.run(names, self._feed(ids))
        except Exception as error:  # onnxruntime's errors share no narrower ancestor
            raise ModelError(f"the model failed to run: {_reason(error)}") from error
        return [np.asarray(result, dtype=np.float32) for result in results]

    def _feed(self, ids: Ids) -> dict[str, Fed]:
        """Return what the graph lists as inputs, by name."""
        return {name: feeder(ids) for name, feeder in self._feeders.items()}

    def _prove(self, graph: Path, device: str) -> None:
        """Run the graph once, profiled, and see whether `device` executed any of its nodes.

        onnxruntime lists a provider also where it takes none of the nodes, and then computes on
        the CPU without a word.

        Raises:
            UsageError: it executed none, or failed.
        """
        with tempfile.TemporaryDirectory() as folder:
            probe = _open(graph, self.threads, _providers(device), profile=Path(folder, "probe"))
            try:
                probe.run([self._output], self._feed(np.zeros((1, 2), dtype=np.int64)))
            except Exception as error:  # onnxruntime's, as above
                raise UsageError(
                    f"the device `{device}` cannot run this model: {_reason(error)}",
                    hint=_NO_DEVICE,
                ) from error
            events = json.loads(Path(probe.end_profiling()).read_text("utf-8"))
        ran = {event.get("args", {}).get("provider") for event in events}
        if _provider(device) not in ran:
            raise UsageError(
                f"the device `{device}` would leave this model to the CPU: "
                "it takes none of its operators",
                hint=_NO_DEVICE,
            )


def _feeder(argument: onnxruntime.NodeArg, spec: ModelSpec) -> Callable[[Ids], Fed]:
    """Return what makes an input of the ids, by the name, type and shape that the graph lists.

    Raises:
        ModelError: the graph asks for what is not known here.
    """
    dtype = _TYPES.get(argument.type)
    if dtype is not None:
        if argument.name in _FEEDERS:
            make = _FEEDERS[argument.name]
            return lambda ids: make(ids).astype(dtype, copy=False)
        if argument.name in spec.scalars:
            value: Fed = np.full([1] * len(argument.shape), spec.scalars[argument.name], dtype)
            return lambda _: value
        if argument.name.startswith("past_key_values.") and len(argument.shape) == 4:
            heads, size = _past(argument, spec)
            return lambda ids: np.zeros((len(ids), heads, 0, size), dtype)
    raise ModelError(
        f"the graph asks for `{argument.name}` ({argument.type}), which is not known here"
    )


_FEEDERS: dict[str, Callable[[Ids], Fed]] = {
    "input_ids": lambda ids: ids,
    "attention_mask": np.ones_like,
    "token_type_ids": np.zeros_like,
    "position_ids": lambda ids: np.broadcast_to(np.arange(ids.shape[1]), ids.shape),
}


def _past(argument: onnxruntime.NodeArg, spec: ModelSpec) -> tuple[int, int]:
    """Return heads and size of keys and values: (batch, heads, past, size), with no past."""
    _, heads, _, size = argument.shape
    told = spec.past or (heads, size)
    sizes = tuple(a if isinstance(a, int) else b for a, b in zip((heads, size), told, strict=True))
    if not all(isinstance(size, int) for size in sizes):
        raise ModelError(f"no file says how wide `{argument.name}` is, which the graph asks for")
    return sizes[0], sizes[1]


def devices() -> dict[str, str]:
    """Return the devices that this onnxruntime was built for, and its names of them.

    Whether one is there and takes a graph is only known by opening a `Session` on it.
    """
    return {
        name.removesuffix("ExecutionProvider").lower(): name
        for name in onnxruntime.get_available_providers()
    }


def _provider(device: str) -> str:
    """Return onnxruntime's name of `device`: `CPUExecutionProvider` for `cpu`.

    Raises:
        UsageError: this installation has none of that name.
    """
    known = devices()
    try:
        return known[device.lower()]
    except KeyError:
        raise UsageError(
            f"there is no device `{device}` here: this onnxruntime has {', '.join(sorted(known))}",
            hint="install the onnxruntime package for that device, such as onnxruntime-gpu",
        ) from None


def _providers(device: str) -> list[str]:
    """Return `device`, with the CPU behind it for the operators that it does not take."""
    return list(dict.fromkeys([_provider(device), "CPUExecutionProvider"]))


def _open(
    graph: Path, threads: int, providers: Sequence[str], *, profile: Path | None = None
) -> onnxruntime.InferenceSession:
    """Load a graph, as far optimised as it can be."""
    first: Exception | None = None
    for level in _LEVELS:
        options = _session_options(threads, profile)
        options.graph_optimization_level = level
        try:
            return _load(graph, options, providers)
        except Exception as error:  # onnxruntime's errors share no narrower ancestor
            first = first or error
    assert first is not None, "there are levels"
    raise ModelError(f"cannot load the graph `{graph}`: {_reason(first)}") from first


def _open_copy(
    spec: ModelSpec, threads: int, providers: Sequence[str], copy: Path
) -> onnxruntime.InferenceSession:
    """Load `copy`, the optimised copy of a graph; where it is not whole, make it in passing.

    Whatever goes wrong with a copy, the graph itself is loaded, and nothing said.
    """
    if copying.is_whole(copy):
        options = _session_options(threads)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        with suppress(Exception):  # as above
            return _load(copy / copying.GRAPH, options, providers)
    copying.drop(copy)
    if not copying.has_room(copy, spec.size):
        return _open(spec.graph, threads, providers)
    try:
        part = copying.begin(copy)
    except OSError:
        return _open(spec.graph, threads, providers)
    try:
        made = _load(spec.graph, _that_writes(part, _session_options(threads)), providers)
    except Exception:  # as above
        copying.drop(part)
        return _open(spec.graph, threads, providers)
    copying.finish(part, copy)
    return made


def _that_writes(part: Path, options: onnxruntime.SessionOptions) -> onnxruntime.SessionOptions:
    """Return options that write the optimised graph and its packed weights while loading."""
    options.optimized_model_filepath = os.fspath(part / copying.GRAPH)
    prefix = "session.optimized_model_external_initializers"
    options.add_session_config_entry(f"{prefix}_file_name", copying.WEIGHTS)
    options.add_session_config_entry(f"{prefix}_min_size_in_bytes", "1024")
    packed = "session.save_external_prepacked_constant_initializers"
    options.add_session_config_entry(packed, "1")
    return options


def _load(
    graph: Path, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    # Not resolved: weights are looked for beside the path as given, links included.
    return onnxruntime.InferenceSession(os.fspath(graph), options, providers=list(providers))


def _session_options(threads: int, profile: Path | None = None) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its words never reach stderr: errors are raised, too
    # Threads that wait in a loop cost a core each between runs, and gain nothing measurable here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = os.fspath(profile)
    return options


def _reason(error: Exception) -> str:
    """Return onnxruntime's message without its numbering, on one line."""
    return " ".join(str(error).rsplit("] : ", 1)[-1].split())
