#!/bin/sh
# Overlap of masks from outside: files written here by hand, whose counts are known, then a model's masks and adapters.
. "${srcdir:-.}/tests/cli/tap.sh"

# little NUMBER BYTES: a number as printf's escapes, lowest byte first.
little() {
    number=$1 bytes=$2
    while [ "$bytes" -gt 0 ]; do
        printf '\\%03o' $((number % 256))
        number=$((number / 256)) bytes=$((bytes - 1))
    done
}

# mask_file NAME WEIGHT=P,P,...: a mask file of those positions.
mask_file() {
    file=$folder/$1
    shift
    header='' data='' offset=0
    for entry in "$@"; do
        positions=$(printf '%s' "${entry#*=}" | tr ',' ' ') count=0
        for position in $positions; do
            data=$data$(little "$position" 4) count=$((count + 1))
        done
        header="$header${header:+,}\"${entry%%=*}.indices\":{\"dtype\":\"U32\",\"shape\":[$count],\"data_offsets\":[$offset,$((offset + 4 * count))]}"
        offset=$((offset + 4 * count))
    done
    header="{$header}"
    while [ $((${#header} % 8)) -ne 0 ]; do header="$header "; done
    # shellcheck disable=SC2059 # escapes
    { printf "$(little ${#header} 8)"; printf '%s' "$header"; printf "$data"; } >"$file"
}

compare() { run mask-compare "$@"; }
has() { grep -qF -e "$1" "$folder/out"; }

# Query: 2 of 5 shared; value: 1 of 2; the layer above: 1 of 3. In all 4 of 10.
query=bert.encoder.layer.2.attention.self.query.weight
value=bert.encoder.layer.2.attention.self.value.weight
above=bert.encoder.layer.10.attention.self.query.weight
mask_file a "$query=0,1,2,3" "$value=5" "$above=7,300"
mask_file b "$query=2,3,4" "$value=5,6" "$above=8,300"
mask_file c "$query=9" "$above="
compare "$folder/a" "$folder/b"
test_that 'it succeeds' prints "1  $folder/a: 7 positions in 3 weights"
test_that 'a pair in all: 4 of 10' has '1-2              7           7           4  0.4000'
test_that 'layer 2: 3 of 7' grep -qxE '2 +0\.4286' "$folder/out"
test_that 'layer 10: 1 of 3' grep -qxE '10 +0\.3333' "$folder/out"
test_that '  after layer 2' test "$(grep -nE '^2 +0' "$folder/out" | head -n 1 | cut -d: -f1)" -lt "$(grep -nE '^10 +0' "$folder/out" | head -n 1 | cut -d: -f1)"
test_that 'query: 3 of 8' grep -qxE 'query +0\.3750' "$folder/out"
test_that 'value: 1 of 2' grep -qxE 'value +0\.5000' "$folder/out"
test_that 'the picture has each layer and module' grep -qxE '2 +0\.40 -- +0\.50 ==' "$folder/out"
test_that '  and says where nothing is' grep -qE '^10 +0\.33 [^0-9]* +-$' "$folder/out"
compare "$folder/a" "$folder/b" "$folder/c"
test_that 'three: each pair' sh -c "grep -qE '^1-3 +7 +1 +0 +0\.0000$' '$folder/out' && grep -qE '^2-3 ' '$folder/out'"
test_that '  in one picture' has 'Jaccard overlap of each pair'
test_that 'a mask against itself' sh -c "./speft-cl mask-compare '$folder/a' '$folder/a' | grep -qE '^1-2 +7 +7 +7  1\.0000$'"
compare "$folder/a" "$folder/b" --json
for text in '"jaccard": 0.4,' '"shared": 4,' '"10": {' '"attention.self.query": {' "\"$query\": {"; do
    test_that "JSON has $text" has "$text"
done

# ---- names of other models
mask_file llama-a model.layers.0.self_attn.q_proj.weight=1,2 model.layers.0.mlp.experts.3.w1.weight=1 lm_head.weight=1
mask_file llama-b model.layers.0.self_attn.q_proj.weight=2 model.layers.0.mlp.experts.3.w1.weight=1 lm_head.weight=4
compare "$folder/llama-a" "$folder/llama-b" --json
test_that 'names of any model: layer and module' sh -c "grep -qF '\"self_attn.q_proj\": {' '$folder/out' && grep -qF '\"mlp.experts.3.w1\": {' '$folder/out'"
test_that '  and a weight outside the layers' sh -c "grep -qF '\"-\": {' '$folder/out' && grep -qF '\"lm_head\": {' '$folder/out'"

# ---- pictures
compare "$folder/a" "$folder/b" --output "$folder/p.svg"
test_that 'an SVG picture' sh -c "head -n 1 '$folder/p.svg' | grep -q '^<svg ' && grep -qF '>0.33<' '$folder/p.svg'"
compare "$folder/a" "$folder/b" "$folder/c" --output "$folder/p.html"
test_that 'an HTML page' sh -c "grep -qF '<svg ' '$folder/p.html' && grep -qF '<td>0.4000</td>' '$folder/p.html'"
test_that '  that names no other file' sh -c "! grep -qE 'src=|href=|url\(' '$folder/p.html'"
compare "$folder/a" "$folder/b" --output "$folder/p.png"
test_that 'another kind of file' fails_with 2 'expected a name that ends in .svg or .html'

# ---- adapters, which know their model
source=${srcdir:-.}/tests/data/reference/binary
pairs=${srcdir:-.}/tests/data/reference/regression
short=${srcdir:-.}/tests/cli/short.yaml
train() {
    name=$1 model=$2
    shift 2
    run train "$short" --quiet --set "model_name_or_path=$model" --set "train_file=$source/train.jsonl" \
        --output-dir "$folder/$name" "$@"
}
train magnitude "$source"
train random "$source" --set sparse.metric=random
run mask "$short" --quiet --set "model_name_or_path=$source" --set "train_file=$source/train.jsonl" --output "$folder/mask"
compare "$folder/magnitude/adapter" "$folder/random/adapter" "$folder/mask"
test_that 'adapters' grep -qE '^1-2 +100 +100 ' "$folder/out"
test_that 'an adapter has the positions of its mask' grep -qE '^1-3 +100 +100 +100  1\.0000$' "$folder/out"

# ---- what cannot be compared
compare "$folder/a"
test_that 'one alone' fails_with 2 'mask-compare needs more arguments'
compare "$folder/a" "$folder/none"
test_that 'none there' fails_with 1 "$folder/none"
compare "$folder/a" "$source/model.safetensors"
test_that 'a model' fails_with 1 'a mask file has only lists <weight>.indices of U32'
compare "$folder/a" "$source"
test_that 'a folder that is no adapter' fails_with 1 "$source is a model's folder, expected an adapter's"
compare "$folder/a" "$source/vocab.txt"
test_that 'a text' fails_with 1 "$source/vocab.txt"
mask_file unsorted "$query=3,2"
compare "$folder/a" "$folder/unsorted"
test_that 'positions that do not ascend' fails_with 1 'positions must be sorted and unique'
compare "$folder/a" "$folder/llama-a"
test_that 'masks without a common weight' fails_with 1 'have no weight in common'
run mask "$short" --quiet --set "model_name_or_path=$source" --set "train_file=$source/train.jsonl" \
    --set 'sparse.target_modules=[query]' --output "$folder/only-query"
run mask "$short" --quiet --set "model_name_or_path=$source" --set "train_file=$source/train.jsonl" \
    --set 'sparse.target_modules=[key]' --output "$folder/only-key"
compare "$folder/only-query" "$folder/only-key"
test_that '  but for those of one model: they share nothing' test "$status" = 0
set --
while [ $# -lt 33 ]; do set -- "$@" "$folder/a"; done
compare "$@"
test_that 'more masks than there is room for' fails_with 2 'mask-compare takes 32 arguments at most, and there are 33'
name=$(head -c 4000 "$folder/mask" | grep -ao '[a-z.0-9]*query\.weight' | head -n 1)
mask_file outside "$name=4000000"
compare "$folder/magnitude/adapter" "$folder/outside"
test_that 'a position outside the other shape' fails_with 1 'these are not of one model'
run mask "$short" --quiet --set "model_name_or_path=$pairs" --set "train_file=$pairs/train.jsonl" --output "$folder/mask2"
compare "$folder/mask" "$folder/mask2"
test_that 'masks of different models' fails_with 1 'are of different models: '
compare "$folder/mask2" "$folder/magnitude/adapter"
test_that 'a mask and an adapter of different models' fails_with 1 'are of different models: '
compare "$folder/mask" "$folder/outside"
test_that "a position outside a mask's shape" fails_with 1 'these are not of one model'
sed 's/"\[20, 20\]"/"[1, 1] x"/' "$folder/mask" >"$folder/shapeless"
compare "$folder/shapeless" "$folder/mask"
test_that 'a shape that is none' fails_with 1 'expected [rows, columns]'
sed 's/"\[20, 20\]"/"[1, 20] "/' "$folder/mask" >"$folder/narrow"
compare "$folder/narrow" "$folder/mask"
test_that "a position outside the file's own shape" fails_with 1 'is outside a weight of 1 x 20'
mkfifo "$folder/pipe"
compare "$folder/pipe" "$folder/mask"
test_that 'a pipe, at once' fails_with 1 'is a pipe; a regular file is expected'
train head "$source" --set sparse.method=head --set sparse.count=null
compare "$folder/magnitude/adapter" "$folder/head/adapter"
test_that 'an adapter without positions' fails_with 1 'an adapter of method head has no sparse delta'
mkdir "$folder/other"
cp "$source"/*.json "$source"/*.txt "$source/model.safetensors" "$folder/other"
chmod u+w "$folder/other/model.safetensors"
tests/cli/model_tool set "$folder/other/model.safetensors" "bert.encoder.layer.0.output.dense.bias" 3f000000
train other "$folder/other"
compare "$folder/magnitude/adapter" "$folder/other/adapter"
test_that 'adapters of different models' fails_with 1 'are of different models: '
finish
