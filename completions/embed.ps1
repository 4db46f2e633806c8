# Completion of `embed` for PowerShell 5.1 and later: dot-source it in $PROFILE. No program runs
# at TAB. What lies between the two marks is written by tools/make_completions.py.

# -- generated --
$__embed_names = -split 'all-minilm embeddinggemma qwen3-embedding nomic-embed-text mxbai-embed-large bge-m3 bge-large bge-base bge-small snowflake-arctic-embed snowflake-arctic-embed2 granite-embedding paraphrase-multilingual gte-small gte-base gte-large gte-multilingual-base gte-modernbert-base e5-small e5-base e5-large multilingual-e5-small multilingual-e5-base multilingual-e5-large jina-embeddings-v2-small-en jina-embeddings-v2-base-en jina-embeddings-v2-base-de jina-embeddings-v2-base-es jina-embeddings-v2-base-zh jina-embeddings-v2-base-code modernbert-embed'
$__embed_tags = -split 'all-minilm:22m all-minilm:l6-v2 all-minilm:int8 all-minilm:22m-int8 all-minilm:q8 all-minilm:fp16 all-minilm:22m-q8 all-minilm:22m-fp16 all-minilm:33m all-minilm:33m-q8 all-minilm:l12-v2 embeddinggemma:q8 embeddinggemma:q4 embeddinggemma:300m embeddinggemma:300m-q8 embeddinggemma:300m-q4 qwen3-embedding:q8 qwen3-embedding:fp16 qwen3-embedding:0.6b qwen3-embedding:0.6b-q8 qwen3-embedding:0.6b-fp16 qwen3-embedding:4b qwen3-embedding:8b nomic-embed-text:q8 mxbai-embed-large:q8 mxbai-embed-large:335m mxbai-embed-large:335m-q8 bge-m3:q8 bge-m3:567m bge-m3:567m-q8 bge-large:q8 bge-large:335m bge-large:335m-q8 bge-base:q8 bge-small:q8 snowflake-arctic-embed:q8 snowflake-arctic-embed:22m snowflake-arctic-embed:22m-q8 snowflake-arctic-embed:33m snowflake-arctic-embed:33m-q8 snowflake-arctic-embed:110m snowflake-arctic-embed:110m-q8 snowflake-arctic-embed:137m snowflake-arctic-embed:137m-q8 snowflake-arctic-embed:335m snowflake-arctic-embed:335m-q8 snowflake-arctic-embed2:q8 snowflake-arctic-embed2:305m snowflake-arctic-embed2:305m-q8 snowflake-arctic-embed2:568m snowflake-arctic-embed2:568m-q8 granite-embedding:q8 granite-embedding:30m granite-embedding:30m-q8 granite-embedding:278m granite-embedding:278m-q8 paraphrase-multilingual:q8 paraphrase-multilingual:278m paraphrase-multilingual:278m-q8 gte-small:q8 gte-base:q8 gte-large:q8 gte-multilingual-base:q8 gte-modernbert-base:q8 e5-small:q8 e5-base:q8 e5-large:q8 multilingual-e5-small:q8 multilingual-e5-base:q8 multilingual-e5-large:q8 jina-embeddings-v2-small-en:q8 jina-embeddings-v2-base-en:q8 modernbert-embed:q8 modernbert-embed:q4'
$__embed_options = @{
    '' = '-h --help --version'
    'text' = '-h --help -m --model -f --format -o --output -0 --null -d --dimensions --truncate --no-truncate --max-tokens --prompt --prefix --normalize --no-normalize --onnx-file --pooling --threads --device --offline --server -q --quiet'
    'file' = '-h --help -o --output -m --model -f --format --input-format --field --template --whole -0 --null --chunk --overlap --text --no-text --replace --dtype --on-error --restart --estimate --cache --progress -d --dimensions --truncate --no-truncate --max-tokens --prompt --prefix --normalize --no-normalize --onnx-file --pooling --threads --device --offline --server -q --quiet'
    'similar' = '-h --help --in --texts --top --min-score --matrix --dedup --dot -f --format --field -0 --null --cache --no-cache -m --model -d --dimensions --truncate --no-truncate --max-tokens --prompt --prefix --normalize --no-normalize --onnx-file --pooling --threads --device --offline --server -q --quiet'
    'pull' = '-h --help --onnx-file -q --quiet'
    'list' = '-h --help --all --json'
    'show' = '-h --help --onnx-file --pooling --json'
    'rm' = '-h --help -y --yes'
    'doctor' = '-h --help --json --offline'
    'verify' = '-h --help --json --onnx-file --pooling --threads --device --offline -q --quiet'
    'quantize' = '-h --help -o --output --calibrate --field --min-cosine --keep --onnx-file --pooling --threads --offline -q --quiet'
    'serve' = '-h --help --host --port --uds -m --model --keep-alive --max-loaded-models --max-queue --max-body --max-texts --max-characters --origins --api-key --api-key-file --allow-changes --timeout --client-timeout --log-format --threads --device -q --quiet'
    'cache' = '-h --help'
    'cache info' = '-h --help --json'
    'cache clear' = '-h --help'
}
$__embed_commands = @{
    '' = 'text file similar pull list show rm doctor verify quantize serve cache'
    'cache' = 'info clear'
}
$__embed_arguments = @{
    '' = '@none'
    'text' = '@none'
    'file' = '@file'
    'similar' = '@none'
    'pull' = '@model'
    'list' = '@none'
    'show' = '@model'
    'rm' = '@pulled'
    'doctor' = '@none'
    'verify' = '@model'
    'quantize' = '@model'
    'serve' = '@none'
    'cache' = '@none'
    'cache info' = '@none'
    'cache clear' = '@none'
}
function __embed_value([string]$place) {
    switch -CaseSensitive -Wildcard ($place) {
        '*:-m' { '@model'; return }
        '*:--model' { '@model'; return }
        'text:-f' { 'jsonl json npy'; return }
        'text:--format' { 'jsonl json npy'; return }
        'file:-f' { 'jsonl npy parquet'; return }
        'file:--format' { 'jsonl npy parquet'; return }
        'similar:-f' { 'table jsonl tsv'; return }
        'similar:--format' { 'table jsonl tsv'; return }
        '*:-o' { '@file'; return }
        '*:--output' { '@file'; return }
        '*:--onnx-file' { '@file'; return }
        '*:--in' { '@file'; return }
        '*:--texts' { '@file'; return }
        '*:--calibrate' { '@file'; return }
        '*:--uds' { '@file'; return }
        '*:--api-key-file' { '@file'; return }
        '*:-d' { '@none'; return }
        '*:--dimensions' { '@none'; return }
        '*:--max-tokens' { '@none'; return }
        '*:--prefix' { '@none'; return }
        '*:--threads' { '@none'; return }
        '*:--server' { '@none'; return }
        '*:--field' { '@none'; return }
        '*:--template' { '@none'; return }
        '*:--chunk' { '@none'; return }
        '*:--overlap' { '@none'; return }
        '*:--top' { '@none'; return }
        '*:--min-score' { '@none'; return }
        '*:--dedup' { '@none'; return }
        '*:--min-cosine' { '@none'; return }
        '*:--keep' { '@none'; return }
        '*:--host' { '@none'; return }
        '*:--port' { '@none'; return }
        '*:--keep-alive' { '@none'; return }
        '*:--max-loaded-models' { '@none'; return }
        '*:--max-queue' { '@none'; return }
        '*:--max-body' { '@none'; return }
        '*:--max-texts' { '@none'; return }
        '*:--max-characters' { '@none'; return }
        '*:--origins' { '@none'; return }
        '*:--api-key' { '@none'; return }
        '*:--timeout' { '@none'; return }
        '*:--client-timeout' { '@none'; return }
        '*:--prompt' { '@prompt'; return }
        '*:--pooling' { 'mean cls last'; return }
        '*:--device' { 'cpu cuda tensorrt rocm migraphx openvino dml coreml qnn'; return }
        '*:--input-format' { 'lines jsonl csv tsv parquet'; return }
        '*:--dtype' { 'float32 float16'; return }
        '*:--on-error' { 'stop skip'; return }
        '*:--log-format' { 'text json'; return }
    }
}
function __embed_prompts([string]$name) {
    switch -Wildcard ($name) {
        'all-minilm' { -split ''; return }
        'all-minilm:*' { -split ''; return }
        'bge-m3' { -split ''; return }
        'bge-m3:*' { -split ''; return }
        'granite-embedding' { -split ''; return }
        'granite-embedding:*' { -split ''; return }
        'paraphrase-multilingual' { -split ''; return }
        'paraphrase-multilingual:*' { -split ''; return }
        'gte-small' { -split ''; return }
        'gte-small:*' { -split ''; return }
        'gte-base' { -split ''; return }
        'gte-base:*' { -split ''; return }
        'gte-large' { -split ''; return }
        'gte-large:*' { -split ''; return }
        'gte-multilingual-base' { -split ''; return }
        'gte-multilingual-base:*' { -split ''; return }
        'gte-modernbert-base' { -split ''; return }
        'gte-modernbert-base:*' { -split ''; return }
        'jina-embeddings-v2-small-en' { -split ''; return }
        'jina-embeddings-v2-small-en:*' { -split ''; return }
        'jina-embeddings-v2-base-en' { -split ''; return }
        'jina-embeddings-v2-base-en:*' { -split ''; return }
        'jina-embeddings-v2-base-de' { -split ''; return }
        'jina-embeddings-v2-base-de:*' { -split ''; return }
        'jina-embeddings-v2-base-es' { -split ''; return }
        'jina-embeddings-v2-base-es:*' { -split ''; return }
        'jina-embeddings-v2-base-zh' { -split ''; return }
        'jina-embeddings-v2-base-zh:*' { -split ''; return }
        'jina-embeddings-v2-base-code' { -split ''; return }
        'jina-embeddings-v2-base-code:*' { -split ''; return }
        'Xenova/all-MiniLM-L6-v2' { -split ''; return }
        'Xenova/all-MiniLM-L6-v2@*' { -split ''; return }
        'Xenova/all-MiniLM-L12-v2' { -split ''; return }
        'Xenova/all-MiniLM-L12-v2@*' { -split ''; return }
        'onnx-community/all-MiniLM-L6-v2-ONNX' { -split ''; return }
        'onnx-community/all-MiniLM-L6-v2-ONNX@*' { -split ''; return }
        'qdrant/all-MiniLM-L6-v2-onnx' { -split ''; return }
        'qdrant/all-MiniLM-L6-v2-onnx@*' { -split ''; return }
        'Xenova/bge-m3' { -split ''; return }
        'Xenova/bge-m3@*' { -split ''; return }
        'onnx-community/granite-embedding-30m-english-ONNX' { -split ''; return }
        'onnx-community/granite-embedding-30m-english-ONNX@*' { -split ''; return }
        'sirasagi62/granite-embedding-278m-multilingual-ONNX' { -split ''; return }
        'sirasagi62/granite-embedding-278m-multilingual-ONNX@*' { -split ''; return }
        'Xenova/paraphrase-multilingual-mpnet-base-v2' { -split ''; return }
        'Xenova/paraphrase-multilingual-mpnet-base-v2@*' { -split ''; return }
        'Xenova/gte-small' { -split ''; return }
        'Xenova/gte-small@*' { -split ''; return }
        'Xenova/gte-base' { -split ''; return }
        'Xenova/gte-base@*' { -split ''; return }
        'Xenova/gte-large' { -split ''; return }
        'Xenova/gte-large@*' { -split ''; return }
        'onnx-community/gte-multilingual-base' { -split ''; return }
        'onnx-community/gte-multilingual-base@*' { -split ''; return }
        'Alibaba-NLP/gte-modernbert-base' { -split ''; return }
        'Alibaba-NLP/gte-modernbert-base@*' { -split ''; return }
        'Xenova/jina-embeddings-v2-small-en' { -split ''; return }
        'Xenova/jina-embeddings-v2-small-en@*' { -split ''; return }
        'Xenova/jina-embeddings-v2-base-en' { -split ''; return }
        'Xenova/jina-embeddings-v2-base-en@*' { -split ''; return }
        'embeddinggemma' { -split 'query document BitextMining Clustering Classification InstructionRetrieval MultilabelClassification PairClassification Reranking Retrieval Retrieval-query Retrieval-document STS Summarization'; return }
        'embeddinggemma:*' { -split 'query document BitextMining Clustering Classification InstructionRetrieval MultilabelClassification PairClassification Reranking Retrieval Retrieval-query Retrieval-document STS Summarization'; return }
        'onnx-community/embeddinggemma-300m-ONNX' { -split 'query document BitextMining Clustering Classification InstructionRetrieval MultilabelClassification PairClassification Reranking Retrieval Retrieval-query Retrieval-document STS Summarization'; return }
        'onnx-community/embeddinggemma-300m-ONNX@*' { -split 'query document BitextMining Clustering Classification InstructionRetrieval MultilabelClassification PairClassification Reranking Retrieval Retrieval-query Retrieval-document STS Summarization'; return }
        'nomic-embed-text' { -split 'query document clustering classification'; return }
        'nomic-embed-text:*' { -split 'query document clustering classification'; return }
        'modernbert-embed' { -split 'query document clustering classification'; return }
        'modernbert-embed:*' { -split 'query document clustering classification'; return }
        'nomic-ai/nomic-embed-text-v1.5' { -split 'query document clustering classification'; return }
        'nomic-ai/nomic-embed-text-v1.5@*' { -split 'query document clustering classification'; return }
        'nomic-ai/modernbert-embed-base' { -split 'query document clustering classification'; return }
        'nomic-ai/modernbert-embed-base@*' { -split 'query document clustering classification'; return }
        default { -split 'query document' }
    }
}
# -- end --

# The repos in the hub's cache, where the hub's own library looks for it.
function __embed_pulled {
    $base = if ($env:XDG_CACHE_HOME) { $env:XDG_CACHE_HOME } else { Join-Path $HOME '.cache' }
    $place = if ($env:HF_HOME) { $env:HF_HOME } else { Join-Path $base 'huggingface' }
    $hub = Join-Path $place 'hub'
    if ($env:HUGGINGFACE_HUB_CACHE) { $hub = $env:HUGGINGFACE_HUB_CACHE }
    if ($env:HF_HUB_CACHE) { $hub = $env:HF_HUB_CACHE }
    Get-ChildItem -Path $hub -Directory -Filter 'models--*--*' -ErrorAction SilentlyContinue |
        ForEach-Object { ([regex]'--').Replace($_.Name.Substring(8), '/', 1) }
}

function __embed_choose_prompt([string[]]$words) {
    $name = if ($env:EMBED_MODEL) { $env:EMBED_MODEL } else { 'all-minilm' }
    for ($i = 0; $i -lt $words.Count; $i++) {
        if ($words[$i] -cin '-m', '--model' -and $i + 1 -lt $words.Count) { $name = $words[$i + 1] }
        elseif ($words[$i] -clike '--model=*') { $name = $words[$i].Substring(8) }
    }
    __embed_prompts $name
}

Register-ArgumentCompleter -Native -CommandName embed -ScriptBlock {
    param($typed, $tree, $cursor)
    $words = @($tree.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor } |
        ForEach-Object { $_.ToString() })
    $command = ''
    foreach ($word in $words | Select-Object -Skip 1) {
        $deeper = "$command $word".Trim()
        if ($__embed_options.Contains($deeper)) { $command = $deeper }
    }
    $before = ''
    $value = $typed
    $kind = $null
    if ($typed -clike '--*=*') {
        $option, $value = $typed -split '=', 2
        $before = "$option="
        $kind = __embed_value "${command}:$option"
    } elseif ($words.Count -gt 0 -and $words[-1] -clike '-*') {
        $kind = __embed_value "${command}:$($words[-1])"
    }
    if (-not $kind) {
        $kind = if ($typed -clike '-*') { $__embed_options[$command] }
        elseif ($__embed_commands.Contains($command)) { $__embed_commands[$command] }
        else { $__embed_arguments[$command] }
    }
    # Nothing offered is PowerShell's sign to offer files.
    $found = switch -CaseSensitive ($kind) {
        '@file' { }
        '@none' { }
        '@pulled' { __embed_pulled }
        '@prompt' { __embed_choose_prompt $words }
        '@model' { if ($value) { $__embed_tags }; $__embed_names; __embed_pulled }
        default { -split $kind }
    }
    $found | Where-Object { $_ -and "$before$_".StartsWith($typed) } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new("$before$_", $_, 'ParameterValue', $_)
    }
}
