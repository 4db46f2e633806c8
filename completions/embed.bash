# Completion of `embed` for bash 3.2 and later. No program runs at TAB.
# What lies between the two marks is written by tools/make_completions.py.

# -- generated --
_embed_names='all-minilm embeddinggemma qwen3-embedding nomic-embed-text mxbai-embed-large bge-m3 bge-large bge-base bge-small snowflake-arctic-embed snowflake-arctic-embed2 granite-embedding paraphrase-multilingual gte-small gte-base gte-large gte-multilingual-base gte-modernbert-base e5-small e5-base e5-large multilingual-e5-small multilingual-e5-base multilingual-e5-large jina-embeddings-v2-small-en jina-embeddings-v2-base-en jina-embeddings-v2-base-de jina-embeddings-v2-base-es jina-embeddings-v2-base-zh jina-embeddings-v2-base-code modernbert-embed'
_embed_tags='all-minilm:22m all-minilm:l6-v2 all-minilm:int8 all-minilm:22m-int8 all-minilm:q8 all-minilm:fp16 all-minilm:22m-q8 all-minilm:22m-fp16 all-minilm:33m all-minilm:33m-q8 all-minilm:l12-v2 embeddinggemma:q8 embeddinggemma:q4 embeddinggemma:300m embeddinggemma:300m-q8 embeddinggemma:300m-q4 qwen3-embedding:q8 qwen3-embedding:fp16 qwen3-embedding:0.6b qwen3-embedding:0.6b-q8 qwen3-embedding:0.6b-fp16 qwen3-embedding:4b qwen3-embedding:8b nomic-embed-text:q8 mxbai-embed-large:q8 mxbai-embed-large:335m mxbai-embed-large:335m-q8 bge-m3:q8 bge-m3:567m bge-m3:567m-q8 bge-large:q8 bge-large:335m bge-large:335m-q8 bge-base:q8 bge-small:q8 snowflake-arctic-embed:q8 snowflake-arctic-embed:22m snowflake-arctic-embed:22m-q8 snowflake-arctic-embed:33m snowflake-arctic-embed:33m-q8 snowflake-arctic-embed:110m snowflake-arctic-embed:110m-q8 snowflake-arctic-embed:137m snowflake-arctic-embed:137m-q8 snowflake-arctic-embed:335m snowflake-arctic-embed:335m-q8 snowflake-arctic-embed2:q8 snowflake-arctic-embed2:305m snowflake-arctic-embed2:305m-q8 snowflake-arctic-embed2:568m snowflake-arctic-embed2:568m-q8 granite-embedding:q8 granite-embedding:30m granite-embedding:30m-q8 granite-embedding:278m granite-embedding:278m-q8 paraphrase-multilingual:q8 paraphrase-multilingual:278m paraphrase-multilingual:278m-q8 gte-small:q8 gte-base:q8 gte-large:q8 gte-multilingual-base:q8 gte-modernbert-base:q8 e5-small:q8 e5-base:q8 e5-large:q8 multilingual-e5-small:q8 multilingual-e5-base:q8 multilingual-e5-large:q8 jina-embeddings-v2-small-en:q8 jina-embeddings-v2-base-en:q8 modernbert-embed:q8 modernbert-embed:q4'
_embed_command() {
    case $1 in
        '')
            commands='text file similar pull list show rm doctor verify quantize serve cache'
            options='-h --help --version'
            ;;
        'text')
            argument='@none'
            options='-h --help -m --model -f --format -o --output -0 --null -d --dimensions --truncate --no-truncate --max-tokens --prompt --prefix --normalize --no-normalize --onnx-file --pooling --threads --device --offline --server -q --quiet'
            ;;
        'file')
            argument='@file'
            options='-h --help -o --output -m --model -f --format --input-format --field --template --whole -0 --null --chunk --overlap --text --no-text --replace --dtype --on-error --restart --estimate --cache --progress -d --dimensions --truncate --no-truncate --max-tokens --prompt --prefix --normalize --no-normalize --onnx-file --pooling --threads --device --offline --server -q --quiet'
            ;;
        'similar')
            argument='@none'
            options='-h --help --in --texts --top --min-score --matrix --dedup --dot -f --format --field -0 --null --cache --no-cache -m --model -d --dimensions --truncate --no-truncate --max-tokens --prompt --prefix --normalize --no-normalize --onnx-file --pooling --threads --device --offline --server -q --quiet'
            ;;
        'pull')
            argument='@model'
            options='-h --help --onnx-file -q --quiet'
            ;;
        'list')
            options='-h --help --all --json'
            ;;
        'show')
            argument='@model'
            options='-h --help --onnx-file --pooling --json'
            ;;
        'rm')
            argument='@pulled'
            options='-h --help -y --yes'
            ;;
        'doctor')
            options='-h --help --json --offline'
            ;;
        'verify')
            argument='@model'
            options='-h --help --json --onnx-file --pooling --threads --device --offline -q --quiet'
            ;;
        'quantize')
            argument='@model'
            options='-h --help -o --output --calibrate --field --min-cosine --keep --onnx-file --pooling --threads --offline -q --quiet'
            ;;
        'serve')
            options='-h --help --host --port --uds -m --model --keep-alive --max-loaded-models --max-queue --max-body --max-texts --max-characters --origins --api-key --api-key-file --allow-changes --timeout --client-timeout --log-format --threads --device -q --quiet'
            ;;
        'cache')
            commands='info clear'
            options='-h --help'
            ;;
        'cache info')
            options='-h --help --json'
            ;;
        'cache clear')
            options='-h --help'
            ;;
    esac
}
_embed_value() {
    case $1 in
        *:-m | *:--model) kind='@model' ;;
        text:-f | text:--format) kind='jsonl json npy' ;;
        file:-f | file:--format) kind='jsonl npy parquet' ;;
        similar:-f | similar:--format) kind='table jsonl tsv' ;;
        *:-o | *:--output | *:--onnx-file | *:--in | *:--texts | *:--calibrate | *:--uds | *:--api-key-file) kind='@file' ;;
        *:-d | *:--dimensions | *:--max-tokens | *:--prefix | *:--threads | *:--server | *:--field | *:--template | *:--chunk | *:--overlap | *:--top | *:--min-score | *:--dedup | *:--min-cosine | *:--keep | *:--host | *:--port | *:--keep-alive | *:--max-loaded-models | *:--max-queue | *:--max-body | *:--max-texts | *:--max-characters | *:--origins | *:--api-key | *:--timeout | *:--client-timeout) kind='@none' ;;
        *:--prompt) kind='@prompt' ;;
        *:--pooling) kind='mean cls last' ;;
        *:--device) kind='cpu cuda tensorrt rocm migraphx openvino dml coreml qnn' ;;
        *:--input-format) kind='lines jsonl csv tsv parquet' ;;
        *:--dtype) kind='float32 float16' ;;
        *:--on-error) kind='stop skip' ;;
        *:--log-format) kind='text json' ;;
    esac
}
_embed_prompts() {
    case $1 in
        all-minilm | all-minilm:* | bge-m3 | bge-m3:* | granite-embedding | granite-embedding:* | paraphrase-multilingual | paraphrase-multilingual:* | gte-small | gte-small:* | gte-base | gte-base:* | gte-large | gte-large:* | gte-multilingual-base | gte-multilingual-base:* | gte-modernbert-base | gte-modernbert-base:* | jina-embeddings-v2-small-en | jina-embeddings-v2-small-en:* | jina-embeddings-v2-base-en | jina-embeddings-v2-base-en:* | jina-embeddings-v2-base-de | jina-embeddings-v2-base-de:* | jina-embeddings-v2-base-es | jina-embeddings-v2-base-es:* | jina-embeddings-v2-base-zh | jina-embeddings-v2-base-zh:* | jina-embeddings-v2-base-code | jina-embeddings-v2-base-code:* | Xenova/all-MiniLM-L6-v2 | Xenova/all-MiniLM-L6-v2@* | Xenova/all-MiniLM-L12-v2 | Xenova/all-MiniLM-L12-v2@* | onnx-community/all-MiniLM-L6-v2-ONNX | onnx-community/all-MiniLM-L6-v2-ONNX@* | qdrant/all-MiniLM-L6-v2-onnx | qdrant/all-MiniLM-L6-v2-onnx@* | Xenova/bge-m3 | Xenova/bge-m3@* | onnx-community/granite-embedding-30m-english-ONNX | onnx-community/granite-embedding-30m-english-ONNX@* | sirasagi62/granite-embedding-278m-multilingual-ONNX | sirasagi62/granite-embedding-278m-multilingual-ONNX@* | Xenova/paraphrase-multilingual-mpnet-base-v2 | Xenova/paraphrase-multilingual-mpnet-base-v2@* | Xenova/gte-small | Xenova/gte-small@* | Xenova/gte-base | Xenova/gte-base@* | Xenova/gte-large | Xenova/gte-large@* | onnx-community/gte-multilingual-base | onnx-community/gte-multilingual-base@* | Alibaba-NLP/gte-modernbert-base | Alibaba-NLP/gte-modernbert-base@* | Xenova/jina-embeddings-v2-small-en | Xenova/jina-embeddings-v2-small-en@* | Xenova/jina-embeddings-v2-base-en | Xenova/jina-embeddings-v2-base-en@*)
            echo ''
            ;;
        embeddinggemma | embeddinggemma:* | onnx-community/embeddinggemma-300m-ONNX | onnx-community/embeddinggemma-300m-ONNX@*)
            echo 'query document BitextMining Clustering Classification InstructionRetrieval MultilabelClassification PairClassification Reranking Retrieval Retrieval-query Retrieval-document STS Summarization'
            ;;
        nomic-embed-text | nomic-embed-text:* | modernbert-embed | modernbert-embed:* | nomic-ai/nomic-embed-text-v1.5 | nomic-ai/nomic-embed-text-v1.5@* | nomic-ai/modernbert-embed-base | nomic-ai/modernbert-embed-base@*)
            echo 'query document clustering classification'
            ;;
        *) echo 'query document' ;;
    esac
}
# -- end --

_embed() {
    local words=() command='' commands='' options='' argument='' kind='' before=''
    local last value found=()
    COMPREPLY=()
    _embed_split
    _embed_descend
    last=${words[${#words[@]} - 1]}
    value=$last
    _embed_choose_kind
    case $kind in
        @file) compopt -o default 2>/dev/null ;;  # readline's own knows quotes and folders
        @model) _embed_find_models ;;
        @pulled) _embed_find_pulled ;;
        @prompt) _embed_find_prompts ;;
        @none) ;;
        *) found=($kind) ;;
    esac
    _embed_reply
}

# Fill `words` with those of the line up to the cursor. Bash cuts words at `:` and `=`, too.
_embed_split() {
    local rest=${COMP_LINE:0:COMP_POINT} gap word i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        gap=${rest%%[![:space:]]*}
        rest=${rest#"$gap"}
        word=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=$rest
        rest=${rest#"$word"}
        if [[ $i -eq 0 || -n $gap ]]; then
            words+=("$word")
        else
            words[${#words[@]} - 1]+=$word
        fi
    done
}

# Set `command` to the command that the line has come to, and what is known of it.
_embed_descend() {
    local i
    _embed_command ''
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        [[ " $commands " == *" ${words[i]} "* ]] || continue
        command="${command:+$command }${words[i]}"
        commands='' options='' argument=''
        _embed_command "$command"
    done
}

# Set `kind` to what may stand at the cursor, `value` to what is typed of it.
_embed_choose_kind() {
    local option=${words[${#words[@]} - 2]} literal=0 word
    for word in "${words[@]:1:${#words[@]}-2}"; do
        [[ $word == -- ]] && literal=1
    done
    if ((literal)); then
        kind=${argument:-@none}
    elif [[ $last == --*=* ]]; then
        before=${last%%=*}=
        value=${last#*=}
        _embed_value "$command:${last%%=*}"
        kind=${kind:-@none}
    else
        [[ $option == -* ]] && _embed_value "$command:$option"
        if [[ -n $kind ]]; then
            return
        elif [[ $last == -* ]]; then
            kind=$options
        else
            kind=${commands:-${argument:-@none}}
        fi
    fi
}

_embed_find_models() {
    if [[ $value == [./~]* ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    _embed_find_pulled
    found+=($_embed_names)
    [[ -n $value ]] && found+=($_embed_tags)
}

# The repos in the hub's cache, where the hub's own library looks for it.
_embed_find_pulled() {
    local home=${HF_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/huggingface} folder repo
    local hub=${HF_HUB_CACHE:-${HUGGINGFACE_HUB_CACHE:-$home/hub}}
    for folder in "${hub/#\~/$HOME}"/models--*--*; do
        repo=${folder##*/models--}
        [[ -d $folder ]] && found+=("${repo/--//}")
    done
}

_embed_find_prompts() {
    local name=${EMBED_MODEL:-all-minilm} i
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
            -m | --model) name=${words[i + 1]} ;;
            --model=*) name=${words[i]#*=} ;;
        esac
    done
    found=($(_embed_prompts "$name"))
}

# Offer what was found and begins as typed, without what bash has cut off as words of their own.
_embed_reply() {
    local cut='' mark part word
    for mark in : =; do
        part=${last%"${last##*"$mark"}"}
        [[ $COMP_WORDBREAKS == *"$mark"* && ${#part} -gt ${#cut} ]] && cut=$part
    done
    for word in "${found[@]}"; do
        [[ $before$word == "$last"* ]] && COMPREPLY+=("${before}${word}")
    done
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}

if type compopt >/dev/null 2>&1; then
    complete -F _embed embed
else
    complete -o default -F _embed embed
fi
