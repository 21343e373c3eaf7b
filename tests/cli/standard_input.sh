#!/bin/sh
# Predictions of what comes by standard input: jsonl or lines of text, from pipes and files; and what it cannot be.
. "${srcdir:-.}/tests/cli/tap.sh"
reference=${srcdir:-.}/tests/data/reference
model=$folder/model
tests/cli/model_tool random "$model" 1

# piped TEXT ARG...: predictions of TEXT, which comes through a pipe, on standard output.
piped() {
    printf '%b' "$1" >"$folder/in"
    shift
    status=0
    cat "$folder/in" | ./speft-cl predict --output - --input - "$@" >"$folder/out" 2>"$folder/err" || status=$?
}
# from FILE ARG...: the same of a file.
from() {
    input=$1
    shift
    status=0
    ./speft-cl predict --output - --input - "$@" >"$folder/out" 2>"$folder/err" <"$input" || status=$?
}
said() { grep -qF -e "speft-cl: standard input: $1" "$folder/err"; }
refused() { [ "$status" = 1 ] && [ ! -s "$folder/out" ] && grep -qF -e "$1" "$folder/err"; }
same() { [ "$status" = 0 ] && [ -s "$folder/out" ] && cmp -s "$folder/out" "$folder/$1"; }

run predict --quiet --model "$reference/binary" --input "$reference/binary/eval.jsonl" --output -
cp "$folder/out" "$folder/all"
cat "$reference/binary/eval.jsonl" | ./speft-cl predict --model "$reference/binary" --input - --output - >"$folder/out" 2>"$folder/err"
test_that 'jsonl through a pipe' same all
from "$reference/binary/eval.jsonl" --model "$reference/binary"
test_that '  and from a file' same all

printf '{"text": "a b c"}\n{"text": ""}\n{"text": " [ d {e"}\n{"text": "f"}\n' >"$folder/four.jsonl"
run predict --quiet --model "$reference/binary" --input "$folder/four.jsonl" --output -
cp "$folder/out" "$folder/four"
piped 'a b c\n\n [ d {e\nf\n' --model "$reference/binary"
test_that 'lines, of which an empty one is a row, too' same four
test_that '  and so it is said' said 'classification, 2 classes: rejected, accepted; text: each line'
piped 'a b c\r\n\r\n [ d {e\r\nf' --model "$reference/binary"
test_that '  in the ways that lines end' same four
from "$folder/in" --model "$reference/binary" --quiet
test_that '  and from a file' same four
test_that '  of which nothing is said' test ! -s "$folder/err"
{ read -r first && ./speft-cl predict --quiet --model "$reference/binary" --input - --output -; } <"$folder/in" >"$folder/out" 2>"$folder/err"
sed 1d "$folder/four" >"$folder/three"
test_that '  from where it stands' test "$first" = "$(printf 'a b c\r')" -a "$(cat "$folder/out")" = "$(cat "$folder/three")"
piped '\357\273\277a b c\n' --model "$reference/binary"
head -n 1 "$folder/four" >"$folder/one"
test_that 'a byte order mark is none of the text' same one
piped 'a b c\rd e\rf\r' --model "$reference/binary"
test_that 'lines that end in CR alone' refused "standard input: its lines end in CR alone, as old Macs wrote them; LF or CRLF is expected: tr '\\r' '\\n'"
status=0
./speft-cl tokenize --model "$reference/binary" <"$folder/in" >"$folder/out" 2>"$folder/err" || status=$?
test_that '  and for tokenize' refused 'standard input: its lines end in CR alone'
piped 'a b c\r' --model "$reference/binary"
test_that '  but for the only one' same one
piped '\n \t{"text": "a b c"}\n' --model "$reference/binary"
test_that 'blank lines before jsonl' same one

piped '{"text": "a b c", "\\ud83d": 1, "x": {"\\udc00y": 2}}\n' --model "$reference/binary"
test_that 'half a character in a key is no matter' same one
piped '{"\\ud83d": "a b c", "y": 1}\n' --model "$reference/binary" --set 'text_column=\ud83d'
test_that '  nor where the key is the one' same one
piped '{not json} movie\nb\n' --model "$reference/binary"
test_that 'a first "{" means jsonl, which is said' refused 'standard input:1:4: not valid JSON: '
test_that '  with what to do' refused 'It is read as jsonl, as its first line begins with "{"; where that is a text, give the texts as jsonl, {"text": "..."} a line'
piped '{"text": "a"}\nb c\n' --model "$reference/binary"
test_that '  in later lines, too' refused 'It is read as jsonl, as its first line begins with "{"'
printf '{not json} movie\n' >"$folder/not.jsonl"
run predict --model "$reference/binary" --input "$folder/not.jsonl" --output -
test_that '  not of a file, whose name says it' test "$status" = 1 -a "$(grep -c 'It is read as' "$folder/err")" = 0

# ---- what training used
printf 'review,stars\nx y,good\na b c,bad\nd e,good\n' >"$folder/train.csv"
printf 'model_name_or_path: %s\nmax_steps: 2\nsparse: {count: 20, metric: magnitude}\nlabel_column: stars\n' "$model" >"$folder/run.yaml"
run train "$folder/run.yaml" --quiet --output-dir "$folder/r" --set train_file="$folder/train.csv"
printf '{"review": "x y"}\n{"review": "q r"}\n' >"$folder/two.jsonl"
run predict --quiet --model "$model" --adapter "$folder/r/adapter" --input "$folder/two.jsonl" --output -
cp "$folder/out" "$folder/two"
piped 'x y\nq r\n' --model "$model" --adapter "$folder/r/adapter"
test_that "an adapter's text" same two
test_that '  has no name in lines' sh -c "! grep -q warning '$folder/err'"
from "$folder/two.jsonl" --model "$model" --adapter "$folder/r/adapter"
test_that '  and its own in jsonl' same two
from "$folder/train.csv" --model "$model" --adapter "$folder/r/adapter"
test_that 'a table is none of both' refused 'standard input:1: the names of columns; a table is read from a file'
for header in 'review,stars' '"stars";"review"' 'review\tstars\tnr' 'Kommentar,stars' review 'review, stars'; do
    piped "$header\na b c,good\n" --model "$model" --adapter "$folder/r/adapter"
    test_that "  by its first line: $header" refused 'standard input:1: the names of columns'
done
for line in 'The "review" was poor' 'review, well done, and more' 'stars' 'it is a,review,of sorts' 'so "review","stars" said he'; do
    piped "$line\nx y\n" --model "$model" --adapter "$folder/r/adapter"
    test_that "but no text that has such a name: $line" test "$status:$(wc -l <"$folder/out")" = 0:2
done
piped 'x y\nq r\n' --model "$model" --adapter "$folder/r/adapter" --set text_column=nonexistent --set delimiter=, --set has_header=true
test_that 'options for a table' grep -qF 'standard input: without effect here: text_column, has_header, delimiter; lines of text have no columns' "$folder/err"

printf 'one\ttwo\tlabel\na b c\tx y\tgood\nd e f\tz w\tbad\na c e\tx z\tgood\n' >"$folder/pairs.tsv"
run train "$folder/run.yaml" --quiet --output-dir "$folder/p" --set train_file="$folder/pairs.tsv" --set text_column=one \
    --set text_pair_column=two --set label_column=label
printf '{"one": "a b c", "two": "x y"}\n{"one": "d", "two": ""}\n' >"$folder/two.jsonl"
run predict --quiet --model "$model" --adapter "$folder/p/adapter" --input "$folder/two.jsonl" --output -
cp "$folder/out" "$folder/two"
piped 'a b c\tx y\nd\t\n' --model "$model" --adapter "$folder/p/adapter"
test_that 'two texts of a line' same two
piped 'a b c x y\n' --model "$model" --adapter "$folder/p/adapter"
test_that '  need a TAB' refused 'standard input:1: 0 TABs in a line of text, where one separates the two texts'

# ---- what cannot be read
piped '' --model "$reference/binary"
test_that 'nothing' refused 'standard input has no rows'
piped '{"text": "a"}\n{"text": \n' --model "$reference/binary"
test_that 'jsonl that is none' refused 'standard input:2:'
piped '[\n{"text": "a"}]\n' --model "$reference/binary"
test_that 'a list of objects' refused 'standard input:1: a JSON array, where one object a line is expected'
piped 'a\n\0377\n' --model "$reference/binary"
test_that 'what is not UTF-8' refused 'standard input:2: not UTF-8'
status=0
./speft-cl predict --model "$reference/binary" --input - --output - >"$folder/out" 2>"$folder/err" <&- || status=$?
test_that 'a descriptor that is closed' refused 'cannot read standard input'
status=0
./speft-cl predict --model "$reference/binary" --input - --output - >"$folder/out" 2>"$folder/err" <"$folder" || status=$?
test_that 'a folder' refused 'cannot read standard input: Is a directory'
cp "$folder/four.jsonl" "$folder/kept"
status=0
./speft-cl predict --model "$reference/binary" --input - --output "$folder/kept" >"$folder/out" 2>"$folder/err" <"$folder/kept" || status=$?
test_that 'predictions onto their input' fails_with 2 "$folder/kept is the input"
test_that '  which stays' cmp -s "$folder/kept" "$folder/four.jsonl"
# a file that is cut short while it is read: the pipe that nobody empties holds the program up half-way
awk 'BEGIN { for (i = 0; i < 30000; i++) print "the dog is in the garden" }' >"$folder/long"
mkfifo "$folder/slow"
for way in --input redirected; do
    cp "$folder/long" "$folder/cut"
    if [ "$way" = --input ]; then set -- --input "$folder/cut"; else set --; fi
    ./speft-cl tokenize --model "$reference/binary" "$@" <"$folder/cut" >"$folder/slow" 2>"$folder/err" &
    { head -c 10 && truncate -s 300000 "$folder/cut" && cat; } <"$folder/slow" >/dev/null
    : >"$folder/out"
    status=0
    wait $! || status=$?
    test_that "tokenize: a file that is cut short while it is read ($way)" fails_with 1 'was written to while it was read; start again once it is whole'
done
run train "$folder/run.yaml" --output-dir "$folder/r" --set train_file=-
test_that 'a file of rows that are read twice' fails_with 2 'train_file: found "-", expected a path: standard input is for predict'
finish
