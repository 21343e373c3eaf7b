#!/bin/sh
# Models' folders of other makers, as they come: what transformers takes is taken, what it would read otherwise is refused by name,
# and what is something else than a model is called what it is.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/binary
model=$folder/model

fresh() {
    rm -rf "$model"
    mkdir "$model"
    cp "$source"/*.json "$source"/*.txt "$source"/model.safetensors "$model"
    chmod -R u+w "$model"
}

# trains TEXT [ARG]...: a short run succeeds, and says TEXT.
trains() {
    expected=$1
    shift
    run train "$source/../../../cli/short.yaml" --set "model_name_or_path=$model" --set "train_file=$source/train.jsonl" \
        --set max_steps=1 --output-dir "$folder/result" "$@"
    test_that "$expected" said "$expected"
    rm -rf "$folder/result"
    fresh
}
said() { [ "$status" = 0 ] && grep -qF -e "$1" "$folder/err"; }

not() { ! "$@"; }

# refused TEXT: a run and predict end with the error.
refused() {
    run train "$source/../../../cli/short.yaml" --quiet --set "model_name_or_path=${2:-$model}" --set "train_file=$source/train.jsonl" \
        --output-dir "$folder/result"
    test_that "$1" fails_with 1 "$1"
    rm -rf "$folder/result"
    fresh
}

fresh

# ---- another family, whose weights need no converting first
rm "$model/model.safetensors"
echo x >"$model/pytorch_model.bin"
sed -i 's/"model_type": *"bert"/"model_type": "deberta"/' "$model/config.json"
refused "$model/config.json: \"model_type\" is \"deberta\"; this version of speft-cl knows: bert"
rm "$model/model.safetensors"
echo x >"$model/pytorch_model.bin"
refused "$model holds its weights as pytorch_model.bin only"

# ---- numbers of any size
printf '{"model_max_length": 1000000000000000019884624838656, "a": [NaN, -Infinity, 1e400]}' >"$model/tokenizer_config.json"
sed -i 's/"model_type"/"unused": Infinity, "also": 99999999999999999999, &/' "$model/config.json"
trains 'mask: 100 of 2400 weights'
sed -i 's/"hidden_size": 20/"hidden_size": 99999999999999999999/' "$model/config.json"
refused '"hidden_size" is 99999999999999999999, which is not an integer of 64 bits'
sed -i 's/"hidden_dropout_prob": [^,]*/"hidden_dropout_prob": NaN/' "$model/config.json"
refused '"hidden_dropout_prob" is NaN, which is not a number'
for value in NaN 1; do
    sed -i 's/"is_decoder": [^,]*/"is_decoder": '$value/ "$model/config.json"
    refused '"is_decoder" is '"$([ $value = 1 ] || echo 'NaN, which is ')not true or false"
done
# what the command does not need is no matter: predict has no dropout, a mask is made without it, and `dropout` replaces the model's
sed -i 's/"\(hidden_dropout_prob\|classifier_dropout\|attention_probs_dropout_prob\|initializer_range\)": [^,]*/"\1": NaN/' "$model/config.json"
run predict --quiet --model "$model" --input "$source/eval.jsonl" --output -
test_that 'predict needs no dropout' test "$status" = 0 -a "$(wc -l <"$folder/out")" = 17
run mask "$source/../../../cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$source/train.jsonl" \
    --output "$folder/mask.safetensors"
test_that 'nor does mask' test "$status" = 0 -a -s "$folder/mask.safetensors"
cp "$model/config.json" "$folder/nan.json"
trains 'mask: 100 of 2400 weights' --set dropout=0.1
cp "$folder/nan.json" "$model/config.json"
run train "$source/../../../cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$source/train.jsonl" --set dropout=0 \
    --set keep_head=false --set max_steps=1 --output-dir "$folder/result"
test_that 'a head that is made needs initializer_range' fails_with 1 '"initializer_range" is NaN, which is not a number'
rm -rf "$folder/result"
fresh
sed -i 's/"layer_norm_eps": [^,]*/"layer_norm_eps": NaN/' "$model/config.json"
refused '"layer_norm_eps" is NaN, which is not a number'

# ---- the tokenizer's length
printf '{"model_max_length": 7}' >"$model/tokenizer_config.json"
trains "more than the tokenizer's model_max_length; using 7"

# ---- no tokenizer, or of another kind: rows of input_ids need none
words=$folder/words.csv
printf 'text,label\nhello,accepted\nbye,rejected\n' >"$words"
for kind in none 'of another kind'; do
    rm -f "$model"/tokenizer* "$model/vocab.txt"
    [ "$kind" = none ] || printf '{"model": {"type": "WordLevel"}, "pre_tokenizer": {"type": "ByteLevel"}}' >"$model/tokenizer.json"
    run train "$source/../../../cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$source/train.jsonl" \
        --set max_steps=1 --output-dir "$folder/result"
    test_that "a tokenizer, $kind: train" test "$status" = 0
    run eval "$folder/result/config.resolved.yaml" --adapter "$folder/result/adapter" --set "validation_file=$source/eval.jsonl"
    test_that '  eval' test "$status" = 0
    run predict --model "$model" --adapter "$folder/result/adapter" --input "$source/eval.jsonl" --output -
    test_that '  predict' test "$(wc -l <"$folder/out")" = 17
    run mask "$folder/result/config.resolved.yaml" --output "$folder/mask.safetensors"
    test_that '  mask' test -s "$folder/mask.safetensors"
    run predict --quiet --model "$model" --adapter "$folder/result/adapter" --input "$words" --output -
    test_that '  text is refused, and it is said why' fails_with 1 "$words holds text; only rows of \"input_ids\" need no tokenizer"
    rm -rf "$folder/result" "$folder/mask.safetensors"
    fresh
done

# ---- a tokenizer's file under another name
while IFS='|' read -r name advice; do
    mkdir -p "$model/tokenizer"
    mv "$model/vocab.txt" "$model/$name"
    run tokenize --model "$model"
    test_that "$name" fails_with 1 "$model has no $advice"
    rm -rf "$model/tokenizer"
    fresh
done <<'END'
Vocab.txt|vocab.txt, but Vocab.txt: if that is the file, give it this name
vocab|vocab.txt, but vocab: if that is the file
vocab (2).txt|vocab.txt, but vocab (2).txt: if that is the file
vocab.txt.gz|vocab.txt, but vocab.txt.gz: it is packed: unpack it
bert-base-uncased-vocab.txt|vocab.txt, but bert-base-uncased-vocab.txt: if that is the file
tokenizer/vocab.txt|vocab.txt, but tokenizer/vocab.txt: if that is the file, move it one folder up
tokenizer.json.txt|tokenizer.json, but tokenizer.json.txt: if that is the file
words.txt|tokenizer: neither tokenizer.json nor vocab.txt nor vocab.json with merges.txt is there
END

# ---- code of the model's own
code='config.json: "auto_map" names "modeling_x.XForSequenceClassification", Python code of the model'"'"'s own, which is not run: it is computed as its "model_type", bert, says'
sed -i 's/"model_type"/"auto_map": {"AutoConfig": "c.C", "AutoModelForSequenceClassification": "modeling_x.XForSequenceClassification"}, &/' "$model/config.json"
trains "$code"
sed -i 's/"model_type"/"auto_map": {"AutoConfig": "c.C"}, &/' "$model/config.json"
run predict --quiet --model "$model" --input "$source/eval.jsonl" --output -
test_that 'a configuration of its own alone is nothing to speak of' test "$status" = 0 -a ! -s "$folder/err"
fresh

# ---- a vocabulary that is far too short for the model, whose weights do not fit here either
lacks='has 99 tokens, and the model'"'"'s vocab_size is 400: words that it lacks are unknown'
for rows in 400 200; do
    sed -i "s/\"vocab_size\": 99/\"vocab_size\": $rows/" "$model/config.json"
    run predict --quiet --model "$model" --input "$source/eval.jsonl" --output -
    if [ "$rows" = 400 ]; then test_that "$lacks" grep -qF "$lacks" "$folder/err"; fi
    if [ "$rows" = 400 ]; then
        run tokenize --model "$model"
        test_that '  and tokenize says so' said "$lacks"
    fi
    if [ "$rows" = 200 ]; then test_that '  but for some rows that make the number round' not grep -qF "it lacks" "$folder/err"; fi
    fresh
done

# ---- texts whose words the vocabulary lacks: a few are no matter, and so are ids that the rows give themselves
unknown="$words: 7 % of its texts' tokens (13 of 180, first in line 169) are unknown to the model's tokenizer"
for lacking in 13 12; do
    { echo text,label; yes a,accepted | head -n $((180 - lacking)); yes _,rejected | head -n $lacking; } >"$words"
    run predict --quiet --model "$model" --input "$words" --output -
    [ $lacking = 12 ] || test_that "$unknown" grep -qF "$unknown" "$folder/err"
    [ $lacking = 13 ] || test_that '  but for some' test "$status" = 0 -a ! -s "$folder/err"
    run train "$source/../../../cli/short.yaml" --quiet --set "model_name_or_path=$model" --set "train_file=$words" --set max_steps=1 \
        --output-dir "$folder/result"
    [ $lacking = 12 ] || test_that '  train says so, too' said "$unknown"
    [ $lacking = 13 ] || test_that '  nor does train' not grep -qF unknown "$folder/err"
    rm -rf "$folder/result"
    sed 's/,.*//' "$words" | sed 1d >"$folder/lines"
    run tokenize --model "$model" --input "$folder/lines"
    [ $lacking = 12 ] || test_that '  and tokenize' said "warning: $folder/lines: 7 % of its texts' tokens (13 of 180, first in line 168) are unknown to"
    [ $lacking = 13 ] || test_that '  which does not either' test "$status" = 0 -a ! -s "$folder/err"
done

# ---- names of weights that a trainer has left a beginning before: all of them, or some, or a head by another name
run predict --quiet --model "$model" --input "$source/eval.jsonl" --output "$folder/plain"
for wrapper in module. _orig_mod. module._orig_mod. model.; do
    tests/cli/model_tool rename "$model/model.safetensors" '' $wrapper
    run predict --model "$model" --input "$source/eval.jsonl" --output "$folder/wrapped"
    test_that "$wrapper is taken off" said "$model: the names of all weights begin with \"$wrapper\""
    test_that '  and the logits are the same' cmp -s "$folder/plain" "$folder/wrapped"
    trains "the names of all weights begin with \"$wrapper\""
done
tests/cli/model_tool rename "$model/model.safetensors" bert. encoder.model.
refused "$model: the names of the model's weights begin with \"encoder.model.\", as in encoder.model.embeddings"
tests/cli/model_tool rename "$model/model.safetensors" classifier. fc.
run predict --quiet --model "$model" --input "$source/eval.jsonl" --output -
test_that 'a head by another name' fails_with 1 "$model has no trained head: no tensor classifier.weight. If its fc.weight (F32 [2, 20]) is one"
trains '2 tensors are not used by the model: fc.bias, fc.weight'

# ---- a folder that the user may not look into
as_other=
[ "$(id -u)" != 0 ] || as_other='setpriv --reuid=65534 --regid=65534 --clear-groups'
chmod 755 "$folder"
if $as_other test -x ./speft-cl 2>/dev/null; then
    chmod 000 "$model"
    cannot="speft-cl: error: cannot look into the folder $model: Permission denied"
    for command in "predict --model $model" "predict --model $model/sub" "predict --model $source --adapter $model" \
        "predict --model $source --adapter $model/sub" "tokenize --model $model" "tokenize --model $model/sub"; do
        rows=
        [ "${command%%tokenize*}" = '' ] || rows="--input $source/eval.jsonl --output -"
        status=0
        : >"$folder/out"
        # shellcheck disable=SC2086 # words
        SPEFT_CACHE_DIR=/nonexistent $as_other ./speft-cl $command $rows 2>"$folder/err" </dev/null || status=$?
        test_that "a folder that the user may not look into: $(echo "$command" | sed "s|$model|DIR|; s|$source|MODEL|")" \
            grep -qxF "$cannot" "$folder/err"
    done
    chmod 755 "$model"
fi

# ---- other things than a model
sed -i '/"model_type"/d' "$model/config.json"
refused '"model_type" is missing, as in old files ("architectures" says BertForSequenceClassification)'
for config in '{}' '{"vocab_size": 99, "num_labels": 2}'; do
    echo "$config" >"$model/config.json"
    refused "$model/config.json is no model's configuration: \"model_type\", \"architectures\" and \"hidden_size\" are all missing"
done
# what a site sends in place of a file
for file in config.json tokenizer_config.json special_tokens_map.json tokenizer.json vocab.txt; do
    echo '{"error":"Repository not found"}' >"$model/$file"
    refused "$model/$file holds only the message \"Repository not found\", a site's answer in place of a file: download the file itself"
done
for file in config.json tokenizer_config.json tokenizer.json vocab.txt model.safetensors; do
    printf 'Entry not found' >"$model/$file"
    refused "$model/$file holds \"Entry not found\", a site's answer in place of a file: download the file itself"
    printf '<!DOCTYPE html>\n<html>' >"$model/$file"
    refused "$model/$file is a page in HTML or XML"
done
for file in config.json tokenizer_config.json tokenizer.json vocab.txt; do
    : >"$model/$file"
    refused "$model/$file is empty, and "
    printf '\357\273\277<!DOCTYPE html>\n<html>' >"$model/$file"
    refused "$model/$file is a page in HTML or XML"
    echo '{"a": 1}' | gzip >"$model/$file"
    refused "$model/$file is packed, as a gzip archive: unpack it"
done
mkdir "$model/0_Transformer"
mv "$model"/*.* "$model/0_Transformer"
refused "$model has no config.json, but below it lies a model: $model/0_Transformer. Give that folder"
refused "is a file, and a model is a folder or a GGUF file: give the folder that it lies in, $model" "$model/model.safetensors"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 438000000\n' >"$folder/pointer"
for file in config.json model.safetensors vocab.txt tokenizer_config.json; do
    cp "$folder/pointer" "$model/$file"
    refused "$model/$file is a Git LFS pointer"
    sed s/git-lfs/hawser/ "$folder/pointer" >"$model/$file"
    refused "$model/$file is a Git LFS pointer"
done
# shards without their index: the second is a pointer, the first a file; and both of them
cp "$model/model.safetensors" "$model/model-00001-of-00002.safetensors"
cp "$folder/pointer" "$model/model-00002-of-00002.safetensors"
rm -f "$model/model.safetensors"
refused "$model holds shards of a model without model.safetensors.index.json, which says what lies in which and is to be fetched, too: $model/model-00002-of-00002.safetensors is a Git LFS pointer"
cp "$folder/pointer" "$model/model-00001-of-00002.safetensors"
cp "$folder/pointer" "$model/model-00002-of-00002.safetensors"
rm -f "$model/model.safetensors"
refused "-of-00002.safetensors is a Git LFS pointer"
mv "$model/model.safetensors" "$model/model-00001-of-00001.safetensors"
refused "$model holds shards of a model, such as model-00001-of-00001.safetensors, without model.safetensors.index.json"
cp "$folder/pointer" "$model/pytorch_model-00001-of-00002.bin"
rm -f "$model/model.safetensors"
refused "$model/pytorch_model-00001-of-00002.bin is a Git LFS pointer"
cp "$folder/pointer" "$model/bert model.ckpt.index"
rm -f "$model/model.safetensors"
refused "$model/bert model.ckpt.index is a Git LFS pointer"
cp "$folder/pointer" "$folder/rows.csv"
run predict --model "$model" --input "$folder/rows.csv" --output - --quiet
test_that 'data that is a pointer' fails_with 1 "$folder/rows.csv is a Git LFS pointer"

finish
