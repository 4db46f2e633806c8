"""The clients that people use, pointed at our server without a word about it.

Each is installed by `pip install embedcli[clients]`, or `npm install ollama openai`; without it
its tests are skipped.
"""

import json
import os
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

from embedcli.engine.embedder import Embedder
from tests.server.conftest import Server

# Other people's packages warn of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

TEXTS = ["why is the sky blue?", "why is the grass green?"]


@pytest.fixture(scope="module")
def vectors(minilm: Embedder) -> Any:  # noqa: ANN401
    return minilm.embed(TEXTS)


def test_ollama_in_python(server: Server, vectors: Any) -> None:  # noqa: ANN401
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(server.url)
    reply = client.embed("all-minilm", TEXTS, truncate=True, keep_alive="1m", dimensions=384)
    np.testing.assert_array_equal(np.array(reply.embeddings, np.float32), vectors)
    assert reply.prompt_eval_count == 16
    np.testing.assert_array_equal(
        np.array(client.embeddings("all-minilm", TEXTS[0]).embedding, np.float32), vectors[0]
    )


def test_ollamas_other_calls_in_python(server: Server) -> None:
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(server.url)
    assert "all-minilm:latest" in [model.model for model in client.list().models]
    assert client.show("all-minilm").modelinfo["bert.embedding_length"] == 384
    assert [step.status for step in client.pull("all-minilm", stream=True)][-1] == "success"
    client.embed("all-minilm", "a")
    assert [model.model for model in client.ps().models] == ["all-minilm:latest"]
    with pytest.raises(ollama.ResponseError, match='model "foo" not found'):
        client.embed("foo", "a")
    with pytest.raises(ollama.ResponseError, match="the input length exceeds the context length"):
        client.embed("all-minilm", "long " * 600, truncate=False)


def test_openai_in_python(server: Server, vectors: Any) -> None:  # noqa: ANN401
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:
        packed = client.embeddings.create(model="all-minilm", input=TEXTS)
        plain = client.embeddings.create(model="all-minilm", input=TEXTS, encoding_format="float")
        short = client.embeddings.create(model="all-minilm", input="a", dimensions=64)
        assert client.models.retrieve("all-minilm").id == "all-minilm"
        listed = {model.id for model in client.models.list()}
        assert listed == {"all-minilm:latest", "all-minilm:int8"}
        with pytest.raises(openai.NotFoundError, match=r"model .*foo.* not found"):
            client.embeddings.create(model="foo", input="a")
    for reply in (packed, plain):
        rows = np.array([row.embedding for row in reply.data], np.float32)
        np.testing.assert_array_equal(rows, vectors)
    assert packed.usage.total_tokens == 16
    assert len(short.data[0].embedding) == 64


def test_langchain(server: Server, vectors: Any) -> None:  # noqa: ANN401
    langchain = pytest.importorskip("langchain_ollama")
    model = langchain.OllamaEmbeddings(
        model="all-minilm", base_url=server.url, validate_model_on_init=True
    )
    rows = np.array(model.embed_documents(TEXTS), np.float32)
    np.testing.assert_array_equal(rows, vectors)
    np.testing.assert_array_equal(np.array(model.embed_query(TEXTS[0]), np.float32), vectors[0])


def test_llama_index(server: Server, vectors: Any) -> None:  # noqa: ANN401
    index = pytest.importorskip("llama_index.embeddings.ollama")
    model = index.OllamaEmbedding(model_name="all-minilm", base_url=server.url)
    rows = np.array(model.get_text_embedding_batch(TEXTS), np.float32)
    np.testing.assert_allclose(rows, vectors, rtol=1e-6)
    assert len(model.get_query_embedding("a")) == 384


def test_litellm(
    server: Server,
    vectors: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or its import asks the network
    litellm = pytest.importorskip("litellm")
    reply = litellm.embedding("ollama/all-minilm", input=TEXTS, api_base=server.url)
    rows = np.array([row["embedding"] for row in reply.data], np.float32)
    np.testing.assert_array_equal(rows, vectors)
    assert reply.usage.prompt_tokens == 16


SCRIPTS = {
    "ollama": """
        const { Ollama } = require('ollama');
        const client = new Ollama({ host: SERVER });
        const reply = await client.embed({ model: 'all-minilm', input: TEXTS });
        const tags = (await client.list()).models.map(model => model.name);
        let last = '';
        for await (const step of await client.pull({ model: 'all-minilm', stream: true }))
          last = step.status;
        let error = '';
        await client.embed({ model: 'foo', input: 'a' }).catch(e => { error = e.message; });
        console.log(JSON.stringify([reply.embeddings, tags.sort(), last, error]));
    """,
    "openai": """
        const OpenAI = require('openai');
        const client = new OpenAI({ baseURL: SERVER + '/v1', apiKey: 'any', maxRetries: 0 });
        const reply = await client.embeddings.create({ model: 'all-minilm', input: TEXTS });
        const models = (await client.models.list()).data.map(model => model.id);
        let error = '';
        await client.embeddings.create({ model: 'foo', input: 'a' })
          .catch(e => { error = e.error.message; });
        const rows = reply.data.map(row => Array.from(row.embedding));
        console.log(JSON.stringify([rows, models.sort(), 'success', error]));
    """,
}


@pytest.mark.parametrize("package", SCRIPTS)
def test_a_client_in_javascript(server: Server, vectors: Any, package: str) -> None:  # noqa: ANN401
    node = shutil.which("node")
    found = node and subprocess.run(
        [node, "-e", f"require('{package}')"], capture_output=True, check=False
    )
    if not node or not found or found.returncode:
        pytest.skip(f"Node with the package {package} is not here")
    given = f"const TEXTS = {json.dumps(TEXTS)}, SERVER = {json.dumps(server.url)};"
    script = f"{given} (async () => {{ {SCRIPTS[package]} }})();"
    done = subprocess.run([node, "-e", script], capture_output=True, check=True, env=os.environ)
    rows, models, last, error = json.loads(done.stdout)
    np.testing.assert_array_equal(np.array(rows, np.float32), vectors)
    assert (models, last) == (["all-minilm:int8", "all-minilm:latest"], "success")
    assert error == 'model "foo" not found, try pulling it first'
