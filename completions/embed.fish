# Completion of `embed` for fish 3.1 and later. No program runs at TAB.
# What lies between the two marks is written by tools/make_completions.py.

# True where the line has come to just this command: `__embed_at cache info`, or none.
function __embed_at
    set -l words (string match -v -- '-*' (commandline -opc))
    if test (count $argv) -eq 0
        test (count $words) -eq 1
    else
        string match -q -- "$argv *" "$words[2..-1] "
    end
end

# True where a command of the group is still to be named.
function __embed_group
    set -l words (string match -v -- '-*' (commandline -opc))
    test (count $words) -eq (math 1 + (count $argv)); and __embed_at $argv
end

# The repos in the hub's cache, where the hub's own library looks for it.
function __embed_pulled
    set -l home ~/.cache/huggingface
    set -q XDG_CACHE_HOME; and set home $XDG_CACHE_HOME/huggingface
    set -q HF_HOME; and set home $HF_HOME
    set -l hub $home/hub
    set -q HUGGINGFACE_HUB_CACHE; and set hub $HUGGINGFACE_HUB_CACHE
    set -q HF_HUB_CACHE; and set hub $HF_HUB_CACHE
    set hub (string replace -r '^~' $HOME -- $hub)
    for folder in $hub/models--*--*/
        string replace -- -- / (string replace -r '.*/models--(.*)/' '$1' -- $folder)
    end
end

function __embed_models
    set -l typed (commandline -ct | string replace -r '^(--?[a-z]+=)' '')
    if string match -qr '^[./~]' -- $typed
        __fish_complete_path $typed
        return
    end
    __embed_pulled
    __embed_names
    test -n "$typed"; and __embed_tags
end

function __embed_choose_prompt
    set -l name all-minilm
    set -q EMBED_MODEL; and set name $EMBED_MODEL
    set -l words (commandline -opc)
    for i in (seq (count $words))
        switch $words[$i]
            case -m --model
                test $i -lt (count $words); and set name $words[(math $i + 1)]
            case '--model=*'
                set name (string replace -- --model= '' $words[$i])
        end
    end
    __embed_prompts $name
end

complete -c embed -f
# -- generated --
function __embed_names
    printf '%s\n' all-minilm embeddinggemma qwen3-embedding nomic-embed-text mxbai-embed-large bge-m3 bge-large bge-base bge-small snowflake-arctic-embed snowflake-arctic-embed2 granite-embedding paraphrase-multilingual gte-small gte-base gte-large gte-multilingual-base gte-modernbert-base e5-small e5-base e5-large multilingual-e5-small multilingual-e5-base multilingual-e5-large jina-embeddings-v2-small-en jina-embeddings-v2-base-en jina-embeddings-v2-base-de jina-embeddings-v2-base-es jina-embeddings-v2-base-zh jina-embeddings-v2-base-code modernbert-embed
end
function __embed_tags
    printf '%s\n' all-minilm:22m all-minilm:l6-v2 all-minilm:int8 all-minilm:22m-int8 all-minilm:q8 all-minilm:fp16 all-minilm:22m-q8 all-minilm:22m-fp16 all-minilm:33m all-minilm:33m-q8 all-minilm:l12-v2 embeddinggemma:q8 embeddinggemma:q4 embeddinggemma:300m embeddinggemma:300m-q8 embeddinggemma:300m-q4 qwen3-embedding:q8 qwen3-embedding:fp16 qwen3-embedding:0.6b qwen3-embedding:0.6b-q8 qwen3-embedding:0.6b-fp16 qwen3-embedding:4b qwen3-embedding:8b nomic-embed-text:q8 mxbai-embed-large:q8 mxbai-embed-large:335m mxbai-embed-large:335m-q8 bge-m3:q8 bge-m3:567m bge-m3:567m-q8 bge-large:q8 bge-large:335m bge-large:335m-q8 bge-base:q8 bge-small:q8 snowflake-arctic-embed:q8 snowflake-arctic-embed:22m snowflake-arctic-embed:22m-q8 snowflake-arctic-embed:33m snowflake-arctic-embed:33m-q8 snowflake-arctic-embed:110m snowflake-arctic-embed:110m-q8 snowflake-arctic-embed:137m snowflake-arctic-embed:137m-q8 snowflake-arctic-embed:335m snowflake-arctic-embed:335m-q8 snowflake-arctic-embed2:q8 snowflake-arctic-embed2:305m snowflake-arctic-embed2:305m-q8 snowflake-arctic-embed2:568m snowflake-arctic-embed2:568m-q8 granite-embedding:q8 granite-embedding:30m granite-embedding:30m-q8 granite-embedding:278m granite-embedding:278m-q8 paraphrase-multilingual:q8 paraphrase-multilingual:278m paraphrase-multilingual:278m-q8 gte-small:q8 gte-base:q8 gte-large:q8 gte-multilingual-base:q8 gte-modernbert-base:q8 e5-small:q8 e5-base:q8 e5-large:q8 multilingual-e5-small:q8 multilingual-e5-base:q8 multilingual-e5-large:q8 jina-embeddings-v2-small-en:q8 jina-embeddings-v2-base-en:q8 modernbert-embed:q8 modernbert-embed:q4
end
function __embed_prompts
    switch $argv[1]
        case 'all-minilm' 'all-minilm:*' 'bge-m3' 'bge-m3:*' 'granite-embedding' 'granite-embedding:*' 'paraphrase-multilingual' 'paraphrase-multilingual:*' 'gte-small' 'gte-small:*' 'gte-base' 'gte-base:*' 'gte-large' 'gte-large:*' 'gte-multilingual-base' 'gte-multilingual-base:*' 'gte-modernbert-base' 'gte-modernbert-base:*' 'jina-embeddings-v2-small-en' 'jina-embeddings-v2-small-en:*' 'jina-embeddings-v2-base-en' 'jina-embeddings-v2-base-en:*' 'jina-embeddings-v2-base-de' 'jina-embeddings-v2-base-de:*' 'jina-embeddings-v2-base-es' 'jina-embeddings-v2-base-es:*' 'jina-embeddings-v2-base-zh' 'jina-embeddings-v2-base-zh:*' 'jina-embeddings-v2-base-code' 'jina-embeddings-v2-base-code:*' 'Xenova/all-MiniLM-L6-v2' 'Xenova/all-MiniLM-L6-v2@*' 'Xenova/all-MiniLM-L12-v2' 'Xenova/all-MiniLM-L12-v2@*' 'onnx-community/all-MiniLM-L6-v2-ONNX' 'onnx-community/all-MiniLM-L6-v2-ONNX@*' 'qdrant/all-MiniLM-L6-v2-onnx' 'qdrant/all-MiniLM-L6-v2-onnx@*' 'Xenova/bge-m3' 'Xenova/bge-m3@*' 'onnx-community/granite-embedding-30m-english-ONNX' 'onnx-community/granite-embedding-30m-english-ONNX@*' 'sirasagi62/granite-embedding-278m-multilingual-ONNX' 'sirasagi62/granite-embedding-278m-multilingual-ONNX@*' 'Xenova/paraphrase-multilingual-mpnet-base-v2' 'Xenova/paraphrase-multilingual-mpnet-base-v2@*' 'Xenova/gte-small' 'Xenova/gte-small@*' 'Xenova/gte-base' 'Xenova/gte-base@*' 'Xenova/gte-large' 'Xenova/gte-large@*' 'onnx-community/gte-multilingual-base' 'onnx-community/gte-multilingual-base@*' 'Alibaba-NLP/gte-modernbert-base' 'Alibaba-NLP/gte-modernbert-base@*' 'Xenova/jina-embeddings-v2-small-en' 'Xenova/jina-embeddings-v2-small-en@*' 'Xenova/jina-embeddings-v2-base-en' 'Xenova/jina-embeddings-v2-base-en@*'
            string split -n ' ' -- ''
        case 'embeddinggemma' 'embeddinggemma:*' 'onnx-community/embeddinggemma-300m-ONNX' 'onnx-community/embeddinggemma-300m-ONNX@*'
            string split -n ' ' -- 'query document BitextMining Clustering Classification InstructionRetrieval MultilabelClassification PairClassification Reranking Retrieval Retrieval-query Retrieval-document STS Summarization'
        case 'nomic-embed-text' 'nomic-embed-text:*' 'modernbert-embed' 'modernbert-embed:*' 'nomic-ai/nomic-embed-text-v1.5' 'nomic-ai/nomic-embed-text-v1.5@*' 'nomic-ai/modernbert-embed-base' 'nomic-ai/modernbert-embed-base@*'
            string split -n ' ' -- 'query document clustering classification'
        case '*'
            string split ' ' -- 'query document'
    end
end
complete -c embed -n '__embed_group' -a text -d 'Embed texts, or the lines of standard input'
complete -c embed -n '__embed_group' -a file -d 'Embed files of any size to JSONL, NPY or Parquet'
complete -c embed -n '__embed_group' -a similar -d 'Show which texts or stored vectors are closest to a query'
complete -c embed -n '__embed_group' -a pull -d 'Fetch a model from the hub, or bring it up to date'
complete -c embed -n '__embed_group' -a list -d 'List the models on this machine'
complete -c embed -n '__embed_group' -a show -d 'Show every fact of a model, and which file says it'
complete -c embed -n '__embed_group' -a rm -d 'Remove a model from this machine'
complete -c embed -n '__embed_group' -a doctor -d 'Examine this machine, from versions to vectors'
complete -c embed -n '__embed_group' -a verify -d 'Show how far this machine'\''s vectors are from a reference'
complete -c embed -n '__embed_group' -a quantize -d 'Make a model that computes in 8 bits, and say what that cost'
complete -c embed -n '__embed_group' -a serve -d 'Serve embeddings over HTTP, to any client of Ollama or OpenAI'
complete -c embed -n '__embed_group' -a cache -d 'Show or clear the vectors that are remembered'
complete -c embed -n '__embed_at' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at' -l version -d 'Print the version'
complete -c embed -n '__embed_at text' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at text' -s m -l model -x -a '(__embed_models)' -d 'A name of the catalogue, a repo of the hub, or a ./folder'
complete -c embed -n '__embed_at text' -s f -l format -x -a 'jsonl json npy' -d 'A JSON object a text, one for all, or a NumPy array'
complete -c embed -n '__embed_at text' -s o -l output -r -F -d 'A file to write; - is stdout'
complete -c embed -n '__embed_at text' -s 0 -l null -d 'Texts on stdin end with NUL'
complete -c embed -n '__embed_at text' -s d -l dimensions -x -d 'Keep the first N values of a vector'
complete -c embed -n '__embed_at text' -l truncate -l no-truncate -d 'Cut a text that is too long, or fail'
complete -c embed -n '__embed_at text' -l max-tokens -x -d 'Cut at N tokens; by default at the model'\''s limit'
complete -c embed -n '__embed_at text' -l prompt -x -a '(__embed_choose_prompt)' -d 'A prompt of the model: query, document, ...'
complete -c embed -n '__embed_at text' -l prefix -x -d 'A literal prompt, put before every text'
complete -c embed -n '__embed_at text' -l normalize -l no-normalize -d 'Scale vectors to unit length'
complete -c embed -n '__embed_at text' -l onnx-file -r -F -d 'Which graph of a repo or folder'
complete -c embed -n '__embed_at text' -l pooling -x -a 'mean cls last' -d 'How tokens make a vector, if the model does not say'
complete -c embed -n '__embed_at text' -l threads -x -d 'Cores to use; by default all allowed'
complete -c embed -n '__embed_at text' -l device -x -a 'cpu cuda tensorrt rocm migraphx openvino dml coreml qnn' -d 'An onnxruntime provider: cpu, cuda, ...'
complete -c embed -n '__embed_at text' -l offline -d 'Never open a socket'
complete -c embed -n '__embed_at text' -l server -x -d 'Let this server do the work: http://host:port or unix:/path'
complete -c embed -n '__embed_at text' -s q -l quiet -d 'No progress, no summary'
complete -c embed -n '__embed_at file' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at file' -s o -l output -r -F -d 'A file to write; - is stdout'
complete -c embed -n '__embed_at file' -s m -l model -x -a '(__embed_models)' -d 'A name of the catalogue, a repo of the hub, or a ./folder'
complete -c embed -n '__embed_at file' -s f -l format -x -a 'jsonl npy parquet' -d 'What to write; by default as OUT is named'
complete -c embed -n '__embed_at file' -l input-format -x -a 'lines jsonl csv tsv parquet' -d 'What to read, with .gz, .bz2, .xz or .zst behind if packed; by default as INPUT is named'
complete -c embed -n '__embed_at file' -l field -x -d 'The field with the text, by default `text`; a.b is the field b of a'
complete -c embed -n '__embed_at file' -l template -x -d 'Several fields: '\''{title}: {body}'\'''
complete -c embed -n '__embed_at file' -l whole -d 'Each file is one text'
complete -c embed -n '__embed_at file' -s 0 -l null -d 'Texts end with NUL'
complete -c embed -n '__embed_at file' -l chunk -x -d 'Cut texts into windows of N tokens'
complete -c embed -n '__embed_at file' -l overlap -x -d 'Tokens that two windows share'
complete -c embed -n '__embed_at file' -l text -l no-text -d 'Write the text, too'
complete -c embed -n '__embed_at file' -l replace -d 'Overwrite fields named like ours'
complete -c embed -n '__embed_at file' -l dtype -x -a 'float32 float16' -d 'How precise numbers are'
complete -c embed -n '__embed_at file' -l on-error -x -a 'stop skip' -d 'Stop at a bad record, or put it into OUT.rejects.jsonl'
complete -c embed -n '__embed_at file' -l restart -d 'Begin anew, whatever a killed run left'
complete -c embed -n '__embed_at file' -l estimate -d 'Say what it would take, from a sample'
complete -c embed -n '__embed_at file' -l cache -d 'Remember vectors, and use those remembered'
complete -c embed -n '__embed_at file' -l progress -d 'Progress in lines, where there is no terminal'
complete -c embed -n '__embed_at file' -s d -l dimensions -x -d 'Keep the first N values of a vector'
complete -c embed -n '__embed_at file' -l truncate -l no-truncate -d 'Cut a text that is too long, or fail'
complete -c embed -n '__embed_at file' -l max-tokens -x -d 'Cut at N tokens; by default at the model'\''s limit'
complete -c embed -n '__embed_at file' -l prompt -x -a '(__embed_choose_prompt)' -d 'A prompt of the model: query, document, ...'
complete -c embed -n '__embed_at file' -l prefix -x -d 'A literal prompt, put before every text'
complete -c embed -n '__embed_at file' -l normalize -l no-normalize -d 'Scale vectors to unit length'
complete -c embed -n '__embed_at file' -l onnx-file -r -F -d 'Which graph of a repo or folder'
complete -c embed -n '__embed_at file' -l pooling -x -a 'mean cls last' -d 'How tokens make a vector, if the model does not say'
complete -c embed -n '__embed_at file' -l threads -x -d 'Cores to use; by default all allowed'
complete -c embed -n '__embed_at file' -l device -x -a 'cpu cuda tensorrt rocm migraphx openvino dml coreml qnn' -d 'An onnxruntime provider: cpu, cuda, ...'
complete -c embed -n '__embed_at file' -l offline -d 'Never open a socket'
complete -c embed -n '__embed_at file' -l server -x -d 'Let this server do the work: http://host:port or unix:/path'
complete -c embed -n '__embed_at file' -s q -l quiet -d 'No progress, no summary'
complete -c embed -n '__embed_at file' -r -F
complete -c embed -n '__embed_at similar' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at similar' -l in -r -F -d 'Candidates: as `embed file` reads or writes'
complete -c embed -n '__embed_at similar' -l texts -r -F -d 'The texts of an NPY file, in its order'
complete -c embed -n '__embed_at similar' -l top -x -d 'How many to show; by default 10'
complete -c embed -n '__embed_at similar' -l min-score -x -d 'Show none below S; exit 1 if none is left'
complete -c embed -n '__embed_at similar' -l matrix -d 'Compare each text with each'
complete -c embed -n '__embed_at similar' -l dedup -x -d 'Show groups of near-duplicates: S is the least cosine'
complete -c embed -n '__embed_at similar' -l dot -d 'Dot products, not cosines'
complete -c embed -n '__embed_at similar' -s f -l format -x -a 'table jsonl tsv' -d 'By default a table on a terminal, else JSONL'
complete -c embed -n '__embed_at similar' -l field -x -d 'The field with the text, by default `text`; a.b is the field b of a'
complete -c embed -n '__embed_at similar' -s 0 -l null -d 'Texts on stdin end with NUL'
complete -c embed -n '__embed_at similar' -l cache -l no-cache -d 'Remember the vectors of files'
complete -c embed -n '__embed_at similar' -s m -l model -x -a '(__embed_models)' -d 'A name of the catalogue, a repo of the hub, or a ./folder'
complete -c embed -n '__embed_at similar' -s d -l dimensions -x -d 'Keep the first N values of a vector'
complete -c embed -n '__embed_at similar' -l truncate -l no-truncate -d 'Cut a text that is too long, or fail'
complete -c embed -n '__embed_at similar' -l max-tokens -x -d 'Cut at N tokens; by default at the model'\''s limit'
complete -c embed -n '__embed_at similar' -l prompt -x -a '(__embed_choose_prompt)' -d 'A prompt of the model: query, document, ...'
complete -c embed -n '__embed_at similar' -l prefix -x -d 'A literal prompt, put before every text'
complete -c embed -n '__embed_at similar' -l normalize -l no-normalize -d 'Scale vectors to unit length'
complete -c embed -n '__embed_at similar' -l onnx-file -r -F -d 'Which graph of a repo or folder'
complete -c embed -n '__embed_at similar' -l pooling -x -a 'mean cls last' -d 'How tokens make a vector, if the model does not say'
complete -c embed -n '__embed_at similar' -l threads -x -d 'Cores to use; by default all allowed'
complete -c embed -n '__embed_at similar' -l device -x -a 'cpu cuda tensorrt rocm migraphx openvino dml coreml qnn' -d 'An onnxruntime provider: cpu, cuda, ...'
complete -c embed -n '__embed_at similar' -l offline -d 'Never open a socket'
complete -c embed -n '__embed_at similar' -l server -x -d 'Let this server do the work: http://host:port or unix:/path'
complete -c embed -n '__embed_at similar' -s q -l quiet -d 'Print nothing: the exit code tells'
complete -c embed -n '__embed_at pull' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at pull' -l onnx-file -r -F -d 'Which graph of a repo or folder'
complete -c embed -n '__embed_at pull' -s q -l quiet -d 'No progress, no summary'
complete -c embed -n '__embed_at pull' -x -a '(__embed_models)'
complete -c embed -n '__embed_at list' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at list' -l all -d 'The names that can be fetched, too'
complete -c embed -n '__embed_at list' -l json -d 'A JSON object a model'
complete -c embed -n '__embed_at show' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at show' -l onnx-file -r -F -d 'Which graph of a repo or folder'
complete -c embed -n '__embed_at show' -l pooling -x -a 'mean cls last' -d 'How tokens make a vector, if the model does not say'
complete -c embed -n '__embed_at show' -l json -d 'One JSON object'
complete -c embed -n '__embed_at show' -x -a '(__embed_models)'
complete -c embed -n '__embed_at rm' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at rm' -s y -l yes -d 'Do not ask'
complete -c embed -n '__embed_at rm' -x -a '(__embed_pulled)'
complete -c embed -n '__embed_at doctor' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at doctor' -l json -d 'One JSON object'
complete -c embed -n '__embed_at doctor' -l offline -d 'Never open a socket'
complete -c embed -n '__embed_at verify' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at verify' -l json -d 'One JSON object'
complete -c embed -n '__embed_at verify' -l onnx-file -r -F -d 'Which graph of a repo or folder'
complete -c embed -n '__embed_at verify' -l pooling -x -a 'mean cls last' -d 'How tokens make a vector, if the model does not say'
complete -c embed -n '__embed_at verify' -l threads -x -d 'Cores to use; by default all allowed'
complete -c embed -n '__embed_at verify' -l device -x -a 'cpu cuda tensorrt rocm migraphx openvino dml coreml qnn' -d 'An onnxruntime provider: cpu, cuda, ...'
complete -c embed -n '__embed_at verify' -l offline -d 'Never open a socket'
complete -c embed -n '__embed_at verify' -s q -l quiet -d 'No progress, no summary'
complete -c embed -n '__embed_at verify' -x -a '(__embed_models)'
complete -c embed -n '__embed_at quantize' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at quantize' -s o -l output -r -F -d 'A folder to be made'
complete -c embed -n '__embed_at quantize' -l calibrate -r -F -d 'Texts like those to come, in any format of `embed file`'
complete -c embed -n '__embed_at quantize' -l field -x -d 'The field of FILE with the text'
complete -c embed -n '__embed_at quantize' -l min-cosine -x -d 'The least mean cosine to the original'
complete -c embed -n '__embed_at quantize' -l keep -x -d 'Nodes that stay in float32: '\''*layer.5*'\'''
complete -c embed -n '__embed_at quantize' -l onnx-file -r -F -d 'Which graph of a repo or folder'
complete -c embed -n '__embed_at quantize' -l pooling -x -a 'mean cls last' -d 'How tokens make a vector, if the model does not say'
complete -c embed -n '__embed_at quantize' -l threads -x -d 'Cores to use; by default all allowed'
complete -c embed -n '__embed_at quantize' -l offline -d 'Never open a socket'
complete -c embed -n '__embed_at quantize' -s q -l quiet -d 'No progress, no summary'
complete -c embed -n '__embed_at quantize' -x -a '(__embed_models)'
complete -c embed -n '__embed_at serve' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at serve' -l host -x -d 'Listen here; 127.0.0.1 by default, or $OLLAMA_HOST'
complete -c embed -n '__embed_at serve' -l port -x -d '11434 by default; 0: any free one'
complete -c embed -n '__embed_at serve' -l uds -r -F -d 'Listen on a unix socket, for this user only, and on no port'
complete -c embed -n '__embed_at serve' -s m -l model -x -a '(__embed_models)' -d 'Load this model at the start, until when /ready says 503; may be repeated'
complete -c embed -n '__embed_at serve' -l keep-alive -x -d 'How long an idle model stays loaded: 90 (seconds), -1 for ever; 5m by default, or $OLLAMA_KEEP_ALIVE'
complete -c embed -n '__embed_at serve' -l max-loaded-models -x -d 'Beyond, the longest idle one is unloaded; 3 by default (or for 0), or $OLLAMA_MAX_LOADED_MODELS'
complete -c embed -n '__embed_at serve' -l max-queue -x -d 'Tokens that may wait for a model; beyond, requests get 503'
complete -c embed -n '__embed_at serve' -l max-body -x -d 'The largest request'
complete -c embed -n '__embed_at serve' -l max-texts -x -d 'Texts in a request'
complete -c embed -n '__embed_at serve' -l max-characters -x -d 'Characters in a text'
complete -c embed -n '__embed_at serve' -l origins -x -d 'Web origins allowed beside local ones, by comma, or $OLLAMA_ORIGINS; `*` in them is anything'
complete -c embed -n '__embed_at serve' -l api-key -x -d 'Ask for this bearer token. Other users see it in the process list: better in $EMBED_API_KEY or a file'
complete -c embed -n '__embed_at serve' -l api-key-file -r -F -d 'Read the key from FILE'
complete -c embed -n '__embed_at serve' -l allow-changes -d 'Let clients pull and delete models; on a loopback address they may anyway'
complete -c embed -n '__embed_at serve' -l timeout -x -d 'The longest that a request may take; 0: no end'
complete -c embed -n '__embed_at serve' -l client-timeout -x -d 'How long a client may stall before it is cut off'
complete -c embed -n '__embed_at serve' -l log-format -x -a 'text json' -d 'How requests are logged, on stderr'
complete -c embed -n '__embed_at serve' -l threads -x -d 'Cores to use; by default all allowed'
complete -c embed -n '__embed_at serve' -l device -x -a 'cpu cuda tensorrt rocm migraphx openvino dml coreml qnn' -d 'An onnxruntime provider: cpu, cuda, ...'
complete -c embed -n '__embed_at serve' -s q -l quiet -d 'No progress, no summary'
complete -c embed -n '__embed_group cache' -a info -d 'Show how many vectors are remembered, and where'
complete -c embed -n '__embed_group cache' -a clear -d 'Forget all vectors that are remembered'
complete -c embed -n '__embed_at cache' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at cache info' -s h -l help -d 'Show help'
complete -c embed -n '__embed_at cache info' -l json -d 'As a JSON object'
complete -c embed -n '__embed_at cache clear' -s h -l help -d 'Show help'
# -- end --
