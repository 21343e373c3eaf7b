#!/bin/sh
# Bad input: models, data, adapters and folders that cannot be used. One sentence naming the file and the fault, exit 1 (2 where
# the configuration asks for what cannot be), and nothing left behind.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/binary
model=$folder/model
output=$folder/result
data=$folder/train.jsonl

# fresh: a good model and good data again.
fresh() {
    rm -rf "$model" "$output"
    mkdir "$model"
    cp "$source"/*.json "$source"/*.txt "$source"/model.safetensors "$model"
    chmod -R u+w "$model"
    cp "$source/train.jsonl" "$data"
    chmod u+w "$data"
}

# refused STATUS TEXT [ARG]...: a short training run ends so, and leaves no output folder.
refused() {
    expected_status=$1 expected=$2
    shift 2
    run train "$source/../../../cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$data" \
        --output-dir "$output" "$@"
    test_that "$expected" fails "$expected_status" "$expected"
    test_that '  and nothing is left' test ! -e "$output"
    fresh
}

# fails STATUS TEXT: as fails_with, warnings before the error allowed.
fails() {
    [ "$status" = "$1" ] && [ ! -s "$folder/out" ] && grep 'speft-cl: error: ' "$folder/err" | grep -qF -e "$2"
}

# bytes TEXT: what printf makes of it, into the model's weights.
bytes() { printf '%b' "$1" >"$model/model.safetensors"; }

fresh

# ---- the model's folder
rm "$model/model.safetensors"
refused 1 'model.safetensors'
head -c 5000 "$source/model.safetensors" >"$model/model.safetensors"
refused 1 "$model/model.safetensors"
printf 'more' >>"$model/model.safetensors"
refused 1 "$model/model.safetensors"
bytes ''
refused 1 "$model/model.safetensors"
bytes '\0377\0377\0377\0377\0377\0377\0377\0177{}'
refused 1 "$model/model.safetensors"
bytes '\02\0\0\0\0\0\0\0{}'
refused 1 'embeddings.word_embeddings.weight'
header='{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
bytes "\\0$(printf '%o' ${#header})\\0\\0\\0\\0\\0\\0\\0${header}"
refused 1 "$model/model.safetensors"
sed -i 's/"hidden_size": 20/"hidden_size": 40/' "$model/config.json"
refused 1 'embeddings.word_embeddings.weight is F32 [99, 20]'
sed -i 's/"num_attention_heads": 5/"num_attention_heads": 3/' "$model/config.json"
refused 1 '"hidden_size" 20 is not a multiple of "num_attention_heads" 3'
# config EDIT TEXT: config.json after sed's EDIT is refused so.
config() {
    sed -i "$1" "$model/config.json"
    refused 1 "$2"
}
config 's/"hidden_size": 20/"hidden_size": 0/' '"hidden_size" is out of range'
config 's/"hidden_size": 20/"hidden_size": "20"/' '"hidden_size"'
config 's/"hidden_size": 20/"hidden_size": 20.5/' '"hidden_size"'
config 's/"hidden_size": 20/"hidden_size": 99999999999999999999/' "$model/config.json"
config '/"num_hidden_layers"/d' '"num_hidden_layers" is missing'
config 's/"num_hidden_layers": 3/"num_hidden_layers": 4/' 'encoder.layer.3.attention.self.query.weight'
config 's/"hidden_act": "gelu"/"hidden_act": "swish"/' '"hidden_act" is "swish"'
config 's/"is_decoder": false/"is_decoder": true/' '"is_decoder" is set; a decoder'
config 's/"hidden_dropout_prob": 0.1/"hidden_dropout_prob": 1/' '"hidden_dropout_prob" is 1'
config 's/"model_type"/"hidden_size": 20, "model_type"/' "$model/config.json"
for change in cast reshape; do
    tests/cli/model_tool $change "$model/model.safetensors" bert.encoder.layer.1.attention.self.key.weight
    refused 1 "$model/model.safetensors: tensor bert.encoder.layer.1.attention.self.key.weight is"
done
tests/cli/model_tool drop "$model/model.safetensors" bert.encoder.layer.2.output.dense.bias
refused 1 'encoder.layer.2.output.dense.bias'
tests/cli/model_tool set "$model/model.safetensors" bert.encoder.layer.1.output.dense.bias 7f800000
refused 1 "$model/model.safetensors: tensor bert.encoder.layer.1.output.dense.bias: element 0 is inf"
tests/cli/model_tool set "$model/model.safetensors" bert.embeddings.LayerNorm.weight 7f7fffff
refused_numbers() {
    run train "${srcdir:-.}/tests/cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$data" \
        --set sparse.metric=gradient --output-dir "$output"
    test_that 'weights too large to compute with' fails 1 'is not'
    test_that '  and no adapter' test ! -e "$output/adapter"
    fresh
}
refused_numbers
rm "$model/model.safetensors"
cp "$source"/../multiclass/model.safetensors.index.json "$model"
refused 1 'model-00001-of-00003.safetensors'
rm "$model/model.safetensors"
printf '{"weight_map": {"a": "../model.safetensors"}}' >"$model/model.safetensors.index.json"
refused 1 "$model/model.safetensors.index.json"
sed -i 's/"model_type": "bert"/"model_type": "gpt9"/' "$model/config.json"
refused 1 '"model_type" is "gpt9"'
printf '{' >"$model/config.json"
refused 1 "$model/config.json"
printf '{"version": "1.0", "pre_tokenizer": {"type": "Metaspace"}, "model": {"type": "Unigram", "vocab": []}}' \
    >"$model/tokenizer.json"
printf '{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n' >"$data" # rows of input_ids need no tokenizer
refused 1 'Metaspace'
rm -rf "$model"
refused 1 "$model"

# ---- the data
cp "$data" "$folder/rows.txt"
refused 1 "cannot tell the format of $folder/rows.txt: a data file's name ends in one of .jsonl, .json, .csv, .tsv; if it holds such rows, give it such a name" \
    --set "train_file=$folder/rows.txt"
: >"$data"
refused 1 "$data"
sed -i 's/"label": "[a-z]*"/"label": "accepted"/' "$data"
refused 1 "$data"
sed -i '3s/.*/{"input_ids": [1, 2, 99], "label": "accepted"}/' "$data"
refused 1 "$data:3"
sed -i '2s/.*/nonsense/' "$data"
refused 1 "$data:2"
rm "$data"
refused 1 "$data"
head -n 4 "$source/eval.jsonl" | sed '2s/"label": "[a-z]*"/"label": "unheard-of"/' >"$folder/dev.jsonl"
refused 1 "$folder/dev.jsonl:2" --set "validation_file=$folder/dev.jsonl"
printf '{"a": 1}\n' >"$folder/rows.parquet"
mkfifo "$folder/pipe.jsonl"
refused 1 "$folder/pipe.jsonl is a pipe; a regular file is expected" --set "train_file=$folder/pipe.jsonl"
refused 1 "$folder/pipe.jsonl is a pipe" --set "validation_file=$folder/pipe.jsonl"
printf '{"text": "a", "label": 9223372036854775808}\n' >"$data"
refused 1 "$data:1: the label (\"label\") is 9223372036854775808: neither an integer of 64 bits"
refused 1 'rows.parquet' --set "train_file=$folder/rows.parquet"

# ---- the configuration asks for what cannot be
refused 2 "did you mean 'query'?" --set 'sparse.target_modules=[qery]'
refused 2 "no linear layer of the model ends in 'uery' (did you mean 'query'?); its modules: " --set 'sparse.target_modules=[uery]'
refused 2 'is larger than the 2400 targeted weights' --set sparse.count=2401
refused 2 'rounds to no entry' --set sparse.density=1e-9
refused 2 "$data: text_column and the label" --set text_column=label
printf 'text\tlabel\ttext\na\t1.5\tb\nc\t2.5\td\n' >"$folder/twice.tsv"
refused 2 "$folder/twice.tsv: text_column is not set: columns 1 and 3" --set "train_file=$folder/twice.tsv"
refused 2 "$folder/twice.tsv: its labels are numbers" --set "train_file=$folder/twice.tsv" --set text_column=3 \
    --set label_smoothing_factor=0.1
refused 1 'no-such-device' --device no-such-device

# ---- the output
printf 'a file' >"$folder/file"
run train "${srcdir:-.}/tests/cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$data" \
    --output-dir "$folder/file/below"
test_that 'an output folder below a file' fails_with 1 "$folder/file"
if [ "$(id -u)" != 0 ]; then
    mkdir "$folder/closed"
    chmod a-w "$folder/closed"
    run train "${srcdir:-.}/tests/cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$data" \
        --output-dir "$folder/closed/result"
    test_that 'an output folder that cannot be written' fails_with 1 "$folder/closed/result"
fi
mkdir "$folder/small"
if mount -t tmpfs -o size=32k none "$folder/small" 2>/dev/null; then
    run train "${srcdir:-.}/tests/cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$data" \
        --set sparse.method=full --output-dir "$folder/small/result"
    test_that 'a full disk' fails 1 'adapter'
    test_that '  and no part of an adapter' test "$(ls "$folder/small/result")" = 'config.resolved.yaml
metrics.jsonl'
    umount "$folder/small"
else
    tests=$((tests + 1))
    printf 'ok %d - a full disk # SKIP a small file system cannot be mounted here\n' "$tests"
fi

# ---- adapters
rm -rf "$output"
run train "${srcdir:-.}/tests/cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$data" \
    --output-dir "$output"
test_that 'a short run succeeds' test "$status" = 0
dd if=/dev/zero of="$model/model.safetensors" bs=1 seek=40000 count=4 conv=notrunc 2>/dev/null
run eval "$output/config.resolved.yaml" --quiet --adapter "$output/adapter" --set "validation_file=$data"
test_that 'an adapter for another base model' fails_with 1 "$model"
fresh_adapter=$output/adapter
run predict --quiet --model "$source/../multiclass" --adapter "$fresh_adapter" --input "$data" --output "$folder/p.jsonl"
test_that 'an adapter for another model' fails_with 1 'adapter'
test_that '  and no predictions' test ! -e "$folder/p.jsonl"
run predict --quiet --model "$source" --adapter "$folder/none" --input "$data" --output -
test_that 'an adapter that is not there' fails_with 1 "$folder/none"

# ---- GGUF files, which are damaged in more ways in tests/unit/test_gguf.c
# gguf BYTES TEXT: such a file is refused with this, by its name.
gguf() {
    printf '%b' "$1" >"$folder/x.gguf"
    run predict --quiet --model "$folder/x.gguf" --input "$data" --output -
    test_that "a GGUF file: $2" fails_with 1 "$folder/x.gguf: $2"
    run tokenize --model "$folder/x.gguf" --input "$data"
    test_that '  of which the tokenizer is wanted' fails_with 1 "$folder/x.gguf: $2"
}
gguf 'GGUF\003\0000\0000\0000' 'at byte 8, the header: 8 bytes are expected, but the file has only 0 more: it is truncated'
gguf 'GGUF\0000\0000\0000\003' 'at byte 4, its version is 3 the other way round: it was written in big-endian order'
mkdir "$folder/quantised"
mv "$folder/x.gguf" "$folder/quantised"
run predict --quiet --model "$folder/quantised" --input "$data" --output -
test_that 'a folder of GGUF files' fails_with 1 "$folder/quantised holds its weights as x.gguf only, a model in one file"

# ---- a text that is too long is cut, counted, and said once
run train "${srcdir:-.}/tests/cli/short.yaml" --set "model_name_or_path=$source" --set max_seq_length=8 \
    --set "train_file=$data" --output-dir "$folder/cut"
test_that 'long texts are cut' test "$status" = 0
test_that '  and said once' test "$(grep -c 'longer than 8 tokens' "$folder/err")" = 1
finish
