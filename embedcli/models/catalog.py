"""The names people type, as data: which repo, revision and graph each stands for.

The names and tags are those of Ollama's library where it has them. A bare name is the float32
graph; `:q8`, `:q4` and `:fp16` are the repo's smaller ones. A revision is pinned where one is
known; the hub checks the hashes. `KNOWN` holds only what the repos' own files do not say, taken
from the model cards and configs of the original models.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from embedcli.models.spec import Known, Pooling

BUNDLED: Final = "all-minilm"

# Its tags, and the graph of each, relative to its folder.
BUNDLED_GRAPHS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("latest", "22m", "l6-v2"), "onnx/model.onnx"),
    **dict.fromkeys(("int8", "22m-int8"), "onnx/model_int8.onnx"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A graph on the hub."""

    repo: str
    file: str  # relative to the repo's root
    revision: str = "main"


def _repo(repo: str, revision: str = "main", **files: str) -> dict[str, Row]:
    """Return the rows of one repo; most call their plain and their quantised graph alike."""
    usual = {"latest": "onnx/model.onnx", "q8": "onnx/model_quantized.onnx"} | files
    return {tag: Row(repo, file, revision) for tag, file in usual.items() if file}


def _sized(latest: str, **sizes: Mapping[str, Row]) -> dict[str, Row]:
    """Return the rows of a model that comes in sizes: `335m`, `335m-q8` and so on.

    Those of the size `latest` have their short tags too. (Keywords cannot hold a dot or begin
    with a digit: `_0_6b` is written for `0.6b`.)
    """
    named = {size.strip("_").replace("_", "."): rows for size, rows in sizes.items()}
    full = {
        size if tag == "latest" else f"{size}-{tag}": row
        for size, rows in named.items()
        for tag, row in rows.items()
    }
    return dict(named[latest]) | full


_L6 = _repo(
    "Xenova/all-MiniLM-L6-v2",
    "751bff37182d3f1213fa05d7196b954e230abad9",
    fp16="onnx/model_fp16.onnx",
)
_L12 = _repo("Xenova/all-MiniLM-L12-v2")
_QWEN_06B = _repo(
    "Qdrant/Qwen3-Embedding-0.6B-onnx", "af95f2c416ffe9379369ad64f9113e865db6112c"
) | {
    "fp16": Row(
        "onnx-community/Qwen3-Embedding-0.6B-ONNX",
        "onnx/model_fp16.onnx",
        "c25a394dd583836952667c12f008335071b3f43d",
    )
}
_BGE_M3 = _repo("BAAI/bge-m3", "5617a9f61b028005a4858fdac845db406aefb181", q8="") | {
    "q8": Row("Xenova/bge-m3", "onnx/model_quantized.onnx")
}

# A model's name: its tags: what each stands for.
CATALOG: Final[Mapping[str, Mapping[str, Row]]] = {
    "all-minilm": _sized("22m", _22m=_L6, _33m=_L12)
    | {"l6-v2": _L6["latest"], "l12-v2": _L12["latest"]},
    # No fp16: its activations overflow, as the model card says.
    "embeddinggemma": _sized(
        "300m",
        _300m=_repo(
            "onnx-community/embeddinggemma-300m-ONNX",
            "5090578d9565bb06545b4552f76e6bc2c93e4a66",
            q4="onnx/model_q4.onnx",
        ),
    ),
    "qwen3-embedding": _sized(
        "0.6b",
        _0_6b=_QWEN_06B,
        _4b=_repo("onnx-community/Qwen3-Embedding-4B-ONNX", q8=""),
        _8b=_repo("onnx-community/Qwen3-Embedding-8B-ONNX", q8=""),
    ),
    "nomic-embed-text": _repo(
        "nomic-ai/nomic-embed-text-v1.5", "e9b6763023c676ca8431644204f50c2b100d9aab"
    ),
    "mxbai-embed-large": _sized(
        "335m",
        _335m=_repo(
            "mixedbread-ai/mxbai-embed-large-v1", "b33106f585b9ce46904ad7443a3b52b7a63e231c"
        ),
    ),
    "bge-m3": _sized("567m", _567m=_BGE_M3),
    "bge-large": _sized(
        "335m",
        _335m=_repo("Xenova/bge-large-en-v1.5", "dfeef6070b90658e1b391a6940efdb0925c1de6f"),
    ),
    "bge-base": _repo("Xenova/bge-base-en-v1.5"),
    "bge-small": _repo("Xenova/bge-small-en-v1.5", "ea104dacec62c0de699686887e3f920caeb4f3e3"),
    "snowflake-arctic-embed": _sized(
        "335m",
        _22m=_repo(
            "Snowflake/snowflake-arctic-embed-xs", "d8c86521100d3556476a063fc2342036d45c106f"
        ),
        _33m=_repo(
            "Snowflake/snowflake-arctic-embed-s", "e596f507467533e48a2e17c007f0e1dacc837b33"
        ),
        _110m=_repo(
            "Snowflake/snowflake-arctic-embed-m", "fc74610d18462d218e312aa986ec5c8a75a98152"
        ),
        _137m=_repo("Snowflake/snowflake-arctic-embed-m-long"),
        _335m=_repo("Snowflake/snowflake-arctic-embed-l"),
    ),
    "snowflake-arctic-embed2": _sized(
        "568m",
        _305m=_repo("Snowflake/snowflake-arctic-embed-m-v2.0"),
        _568m=_repo(
            "Snowflake/snowflake-arctic-embed-l-v2.0", "ac6544c8a46e00af67e330e85a9028c66b8cfd9a"
        ),
    ),
    "granite-embedding": _sized(
        "30m",
        _30m=_repo(
            "onnx-community/granite-embedding-30m-english-ONNX",
            "a141ffafe5810d8ee499de14086b5259527ed6ff",
        ),
        _278m=_repo("sirasagi62/granite-embedding-278m-multilingual-ONNX"),
    ),
    "paraphrase-multilingual": _sized(
        "278m", _278m=_repo("Xenova/paraphrase-multilingual-mpnet-base-v2")
    ),
    "gte-small": _repo("Xenova/gte-small", "5927d1727bb12db490052a1b33265ad78058de08"),
    "gte-base": _repo("Xenova/gte-base"),
    "gte-large": _repo("Xenova/gte-large"),
    "gte-multilingual-base": _repo("onnx-community/gte-multilingual-base"),
    "gte-modernbert-base": _repo(
        "Alibaba-NLP/gte-modernbert-base", "e7f32e3c00f91d699e8c43b53106206bcc72bb22"
    ),
    "e5-small": _repo("Xenova/e5-small-v2", "02af79985278377e65c724a76275707cb0333c70"),
    "e5-base": _repo("Xenova/e5-base-v2"),
    "e5-large": _repo("Xenova/e5-large-v2"),
    "multilingual-e5-small": _repo(
        "Xenova/multilingual-e5-small", "761b726dd34fb83930e26aab4e9ac3899aa1fa78"
    ),
    "multilingual-e5-base": _repo("Xenova/multilingual-e5-base"),
    "multilingual-e5-large": _repo("Xenova/multilingual-e5-large"),
    "jina-embeddings-v2-small-en": _repo("Xenova/jina-embeddings-v2-small-en"),
    "jina-embeddings-v2-base-en": _repo("Xenova/jina-embeddings-v2-base-en"),
    "jina-embeddings-v2-base-de": _repo("jinaai/jina-embeddings-v2-base-de", q8=""),
    "jina-embeddings-v2-base-es": _repo("jinaai/jina-embeddings-v2-base-es", q8=""),
    "jina-embeddings-v2-base-zh": _repo("jinaai/jina-embeddings-v2-base-zh", q8=""),
    "jina-embeddings-v2-base-code": _repo("jinaai/jina-embeddings-v2-base-code", q8=""),
    "modernbert-embed": _repo("nomic-ai/modernbert-embed-base", q4="onnx/model_q4.onnx"),
}

_SEARCH = {"query": "Represent this sentence for searching relevant passages: ", "document": ""}
_E5 = {"query": "query: ", "document": "passage: "}
_NOMIC = {
    "query": "search_query: ",
    "document": "search_document: ",
    "clustering": "clustering: ",
    "classification": "classification: ",
}
# config_sentence_transformers.json of google/embeddinggemma-300m, which its export leaves out.
_GEMMA_QUERY = "task: search result | query: "
_GEMMA_SIMILAR = "task: sentence similarity | query: "
_GEMMA_CLASSES = "task: classification | query: "
_GEMMA = {
    "query": _GEMMA_QUERY,
    "document": "title: none | text: ",
    "BitextMining": _GEMMA_QUERY,
    "Clustering": "task: clustering | query: ",
    "Classification": _GEMMA_CLASSES,
    "InstructionRetrieval": "task: code retrieval | query: ",
    "MultilabelClassification": _GEMMA_CLASSES,
    "PairClassification": _GEMMA_SIMILAR,
    "Reranking": _GEMMA_QUERY,
    "Retrieval": _GEMMA_QUERY,
    "Retrieval-query": _GEMMA_QUERY,
    "Retrieval-document": "title: none | text: ",
    "STS": _GEMMA_SIMILAR,
    "Summarization": "task: summarization | query: ",
}
_QWEN = {
    "query": "Instruct: Given a web search query, retrieve relevant passages that answer the query"
    "\nQuery:",
    "document": "",
}
_QWEN_NOTE = (
    "Ollama's `qwen3-embedding` without a tag is the 8b model with 4096 dimensions; "
    "here it is 0.6b with 1024"
)


def _qwen(*repos: str) -> dict[str, Known]:
    known = Known(Pooling.LAST, 32768, _QWEN, _QWEN_NOTE)
    return dict.fromkeys(repos, known)


# A repo: what its own files do not say.
KNOWN: Final[Mapping[str, Known]] = {
    "Xenova/all-MiniLM-L6-v2": Known(Pooling.MEAN, 256),
    "Xenova/all-MiniLM-L12-v2": Known(Pooling.MEAN, 128),
    "onnx-community/all-MiniLM-L6-v2-ONNX": Known(Pooling.MEAN, 256),
    "qdrant/all-MiniLM-L6-v2-onnx": Known(Pooling.MEAN, 256),
    "onnx-community/embeddinggemma-300m-ONNX": Known(max_tokens=2048, prompts=_GEMMA),
    **_qwen(
        "Qdrant/Qwen3-Embedding-0.6B-onnx",
        "onnx-community/Qwen3-Embedding-0.6B-ONNX",
        "onnx-community/Qwen3-Embedding-4B-ONNX",
        "onnx-community/Qwen3-Embedding-8B-ONNX",
    ),
    "nomic-ai/nomic-embed-text-v1.5": Known(prompts=_NOMIC),
    "mixedbread-ai/mxbai-embed-large-v1": Known(prompts=_SEARCH),
    "Xenova/bge-m3": Known(Pooling.CLS, 8192),
    "Xenova/bge-large-en-v1.5": Known(Pooling.CLS, 512, _SEARCH),
    "Xenova/bge-base-en-v1.5": Known(Pooling.CLS, 512, _SEARCH),
    "Xenova/bge-small-en-v1.5": Known(Pooling.CLS, 512, _SEARCH),
    "Snowflake/snowflake-arctic-embed-xs": Known(prompts=_SEARCH),
    "Snowflake/snowflake-arctic-embed-s": Known(prompts=_SEARCH),
    "Snowflake/snowflake-arctic-embed-m": Known(prompts=_SEARCH),
    "Snowflake/snowflake-arctic-embed-m-long": Known(max_tokens=2048, prompts=_SEARCH),
    "Snowflake/snowflake-arctic-embed-l": Known(prompts=_SEARCH),
    "Snowflake/snowflake-arctic-embed-m-v2.0": Known(prompts={"query": "query: ", "document": ""}),
    "Snowflake/snowflake-arctic-embed-l-v2.0": Known(prompts={"query": "query: ", "document": ""}),
    "onnx-community/granite-embedding-30m-english-ONNX": Known(Pooling.CLS, 512),
    "sirasagi62/granite-embedding-278m-multilingual-ONNX": Known(Pooling.CLS, 512),
    "Xenova/paraphrase-multilingual-mpnet-base-v2": Known(Pooling.MEAN, 128),
    "Xenova/gte-small": Known(Pooling.MEAN, 512),
    "Xenova/gte-base": Known(Pooling.MEAN, 512),
    "Xenova/gte-large": Known(Pooling.MEAN, 512),
    "onnx-community/gte-multilingual-base": Known(Pooling.CLS, 8192),
    "Alibaba-NLP/gte-modernbert-base": Known(Pooling.CLS),
    "Xenova/e5-small-v2": Known(Pooling.MEAN, 512, _E5),
    "Xenova/e5-base-v2": Known(Pooling.MEAN, 512, _E5),
    "Xenova/e5-large-v2": Known(Pooling.MEAN, 512, _E5),
    "Xenova/multilingual-e5-small": Known(Pooling.MEAN, 512, _E5),
    "Xenova/multilingual-e5-base": Known(Pooling.MEAN, 512, _E5),
    "Xenova/multilingual-e5-large": Known(Pooling.MEAN, 512, _E5),
    "Xenova/jina-embeddings-v2-small-en": Known(Pooling.MEAN, 8192),
    "Xenova/jina-embeddings-v2-base-en": Known(Pooling.MEAN, 8192),
    "nomic-ai/modernbert-embed-base": Known(prompts=_NOMIC),
}
