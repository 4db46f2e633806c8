"""The only door to onnxruntime: a graph, and how to run it on a batch of token ids."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from embedcli.errors import ModelError, UsageError
from embedcli.records import Hidden

# A graph that pools by itself says so by this output; else the hidden states are taken.
_POOLED = ("sentence_embedding",)
_HIDDEN = ("last_hidden_state", "token_embeddings")
_INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


VERSION: str = onnxruntime.__version__


class Session:
    """An ONNX graph, ready to run; safe to run from several threads at once."""

    def __init__(self, graph: Path, *, threads: int, device: str = "cpu") -> None:
        """Load `graph`, to compute with `threads` cores a run.

        Raises:
            ModelError: the graph is missing, damaged, or of a kind that cannot be run.
            UsageError: `device` is not there, or would leave the work to the CPU.
        """
        self._onnx = _open(graph, _session_options(threads), device)
        self.threads = threads
        self._inputs = {put.name: put.type for put in self._onnx.get_inputs()}
        self._output = self._choose_output(graph)
        self.pooled = self._output in _POOLED
        if _provider(device) != "CPUExecutionProvider":
            self._prove(graph, device)

    def run(self, ids: NDArray[np.int64]) -> Hidden:
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

    def _feed(self, ids: NDArray[np.int64]) -> dict[str, NDArray[np.int64] | NDArray[np.int32]]:
        """Return what the graph lists as inputs, by name."""
        known = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        return {
            name: known[name].astype(_INTEGERS[kind], copy=False)
            for name, kind in self._inputs.items()
        }

    def _choose_output(self, graph: Path) -> str:
        """Return the output to ask for, by name: never by position, other exports have others."""
        names = [put.name for put in self._onnx.get_outputs()]
        for wanted in (*_POOLED, *_HIDDEN):
            if wanted in names:
                return wanted
        raise ModelError(
            f"the graph `{graph.name}` has no output of a known name: it has {', '.join(names)}"
        )

    def _prove(self, graph: Path, device: str) -> None:
        """Fail unless a profiled run shows nodes executed by `device`.

        onnxruntime lists a provider also where it takes none of the nodes, and then computes on
        the CPU without a word.
        """
        with tempfile.TemporaryDirectory() as folder:
            options = _session_options(self.threads)
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, "probe")  # noqa: PTH118
            probe = _open(graph, options, device)
            probe.run([self._output], self._feed(np.zeros((1, 2), dtype=np.int64)))
            events = json.loads(Path(probe.end_profiling()).read_text("utf-8"))
        ran = {event.get("args", {}).get("provider") for event in events}
        if _provider(device) not in ran:
            raise UsageError(
                f"`--device {device}` would run this model on the CPU: "
                "the device takes none of its operators",
                hint="leave out --device to use the CPU",
            )


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its words never reach stderr: errors are raised, too
    # Threads that wait in a loop cost a core each between runs, and gain nothing measurable here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _provider(device: str) -> str:
    """Return onnxruntime's name of `device`: `CPUExecutionProvider` for `cpu`.

    Raises:
        UsageError: this installation has none of that name.
    """
    known: dict[str, str] = {
        name.removesuffix("ExecutionProvider").lower(): name
        for name in onnxruntime.get_available_providers()
    }
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
    graph: Path, options: onnxruntime.SessionOptions, device: str
) -> onnxruntime.InferenceSession:
    providers = _providers(device)
    # Not resolved: external data is looked for beside the path as given, links included.
    try:
        return onnxruntime.InferenceSession(os.fspath(graph), options, providers=providers)
    except Exception as error:  # onnxruntime's errors share no narrower ancestor
        raise ModelError(f"cannot load the graph `{graph}`: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return onnxruntime's message without its numbering, on one line."""
    return " ".join(str(error).rsplit("] : ", 1)[-1].split())
