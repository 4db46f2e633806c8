"""A name becomes an `Embedder`: the one place that joins models and engine."""

from functools import partial
from pathlib import Path

from embedcli.engine import cores
from embedcli.engine.batches import Limits
from embedcli.engine.embedder import Embedder
from embedcli.engine.session import Session
from embedcli.engine.tokens import Tokenizer
from embedcli.errors import UsageError
from embedcli.models import local, store
from embedcli.models.spec import ModelSpec, Pooling

# A batch this small keeps a core's second-level cache warm, and its matrix products near their
# peak: 256 to 2,048 tokens measured alike, and small batches keep memory and waiting short.
_LIMITS = Limits(tokens=512, texts=512)

# A smaller graph is loaded as fast as its copy (0.1 s for 45 MB), and disks are not free.
_WORTH_A_COPY = 200_000_000  # bytes

# Where a text's vector would depend on its mates, it gets none.
_ALONE = Limits(tokens=512, texts=1)

# A graph that pools by itself adds up the tokens of a lone text in another order than those of
# several: the last bits of its vector differ. There, texts of up to half of these tokens are never
# run alone and longer ones always are, so that each has one way to be computed.
_POOLING_GRAPH = Limits(tokens=128, texts=512, never_alone=True)


def load(
    model: str = "all-minilm",
    *,
    onnx_file: str | None = None,
    pooling: str | None = None,
    threads: int | None = None,
    device: str = "cpu",
    offline: bool = False,
    show: store.Show = store.silently,
) -> Embedder:
    """Return the model `model`, to run on `threads` cores: by default all that are allowed.

    `model` is a name of the catalogue, a repo of the hub (`org/name`, `org/name@revision`), or a
    folder (`./m`). One that is not on this machine is fetched, unless `offline`; `show` is told
    what comes and how much. `onnx_file` chooses among a model's graphs, `pooling` is for one that
    does not say its own. The graph itself is loaded with the first text, or by `Embedder.load`:
    what is wrong with it or with `device` is told there.

    Raises:
        ModelNotFound: there is no such model.
        ModelError: its files are damaged, or it is of a kind that cannot be run.
        NetworkError: it is not here, and cannot or must not be fetched.
        OutputError: the disk has no room for it, or cannot be written.
        UsageError: `pooling` is no pooling, or none for this model.
    """
    found = store.obtain(local.meant(model, onnx_file=onnx_file), offline=offline, show=show)
    spec = local.spec(found, pooling=pooling_named(pooling))
    local.note_use(found)
    copies = _copies(found, spec, device)
    return assemble(spec, threads=threads, device=device, copies=copies)


def assemble(
    spec: ModelSpec,
    *,
    threads: int | None = None,
    device: str = "cpu",
    copies: Path | None = None,
) -> Embedder:
    """Join the parts of a model that is on this machine; raises as `load` does.

    `copies` is where an optimised copy of a large graph is kept.
    """
    return Embedder(
        spec,
        Tokenizer(spec.tokenizer, lowercase=spec.lowercase, eos=spec.eos),
        partial(open_session, spec, device, copies=copies),
        threads=threads or cores.allowed(),
        limits=_limits(spec),
    )


def _limits(spec: ModelSpec) -> Limits:
    if not spec.batch_invariant:
        return _ALONE
    return _LIMITS if spec.pooling else _POOLING_GRAPH


def open_session(
    spec: ModelSpec, device: str, threads: int, *, copies: Path | None = None
) -> Session:
    """Load the graph of a model alone, to run on `threads` cores."""
    return Session(spec, threads=threads, device=device, copies=copies)


def _copies(found: local.Found, spec: ModelSpec, device: str) -> Path | None:
    """Return where copies of a graph are kept, where they pay and `embed rm` finds them."""
    if found.reference.repo is None or device != "cpu" or spec.size < _WORTH_A_COPY:
        return None
    return local.own_folder(found.reference) / "optimised" / found.file.replace("/", "--")


def pooling_named(name: str | None) -> Pooling | None:
    """Return the pooling of that name; None for None.

    Raises:
        UsageError: there is none of that name.
    """
    if name is None:
        return None
    try:
        return Pooling(name)
    except ValueError:
        known = ", ".join(pooling.value for pooling in Pooling)
        raise UsageError(f"there is no pooling `{name}`: only {known}") from None
