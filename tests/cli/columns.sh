#!/bin/sh
# Data files as people have them, from outside: which columns train, eval and predict use, that they say so, and that an adapter
# remembers them. The rules in detail: tests/unit/test_layout.c and test_header.c.
. "${srcdir:-.}/tests/cli/tap.sh"
model=$folder/model
tests/cli/model_tool random "$model" 1
cat >"$folder/run.yaml" <<EOF
model_name_or_path: $model
output_dir: $folder/result
max_steps: 1
max_seq_length: 32
sparse: {count: 50, metric: magnitude}
EOF
adapter=$folder/result/adapter

# file NAME TEXT: a data file, by printf.
file() { printf "$2" >"$folder/$1"; }
# train FILE [ARG]...
train() {
    rows=$1
    shift
    run train "$folder/run.yaml" --set "train_file=$folder/$rows" "$@"
}
predict() {
    rows=$1
    shift
    run predict --model "$model" --adapter "$adapter" --input "$folder/$rows" --output - "$@"
}
# says FILE TEXT: the last run succeeded, and said so of the file.
says() { [ "$status" = 0 ] && grep -qF -e "$folder/$1: $2" "$folder/err"; }
silent() { [ "$status" = 0 ] && ! grep -q -e "$1" "$folder/err"; }
# same FILE: the last predictions are those of the texts in FILE alone.
same() {
    cp "$folder/out" "$folder/kept"
    predict "$1" && cp "$folder/out" "$folder/alone"
    [ "$(wc -l <"$folder/kept")" = 4 ] && cmp -s "$folder/kept" "$folder/alone"
}
# fails STATUS TEXT: as fails_with, after what the run says on its way.
fails() { [ "$status" = "$1" ] && [ ! -s "$folder/out" ] && grep 'speft-cl: error: ' "$folder/err" | grep -qF -e "$2"; }

texts='a b c,pos\nd e f,neg\na c e,pos\nb d f,neg\n'
file texts.jsonl '{"text": "a b c"}\n{"text": "d e f"}\n{"text": "a c e"}\n{"text": "b d f"}\n'

# ---- the file that was trained on, predicted: its texts alone
file named.csv "review,sentiment\n$texts"
train named.csv --set label_column=sentiment
test_that 'train says what it uses' says named.csv 'classification, 2 classes: neg (2), pos (2); text: column 1 "review"; second text: none; label: column 2 "sentiment"; header: the first row (guessed; has_header decides); delimiter: ","'
predict named.csv
test_that 'predict uses it again' says named.csv 'classification, 2 classes: neg, pos; text: column 1 "review"; second text: none; label: column 2 "sentiment", not read; header: the first row'
test_that '  which is the texts alone' same texts.jsonl
test_that '  and says what it reads instead' says texts.jsonl \
    'training used column "review", which this file does not have; read instead: column "text"'
run eval "$folder/run.yaml" --adapter "$adapter" --set "validation_file=$folder/named.csv"
test_that 'eval uses it again' says named.csv 'classification, 2 classes: neg (2), pos (2); text: column 1 "review"; second text: none; label: column 2 "sentiment"; header'
file numbered.tsv "$(printf %s "$texts" | tr , '\t')"
train numbered.tsv --set label_column=2
predict numbered.tsv
test_that 'columns by number' says numbered.tsv 'classification, 2 classes: neg, pos; text: column 1; second text: none; label: column 2, not read; header: none (guessed; has_header decides); delimiter: tab'
test_that '  the texts alone' same texts.jsonl
run eval "$folder/run.yaml" --adapter "$adapter" --set "validation_file=$folder/numbered.tsv"
test_that '  in eval' says numbered.tsv 'classification, 2 classes: neg (2), pos (2); text: column 1; second text: none; label: column 2;'
file swapped.csv 'pos,a b c\nneg,d e f\npos,a c e\nneg,b d f\n'
train swapped.csv --set label_column=1
predict swapped.csv
test_that 'the label first' same texts.jsonl
train swapped.csv --set label_column=1 --set "validation_file=$folder/swapped.csv"
test_that 'and in a validation file' test "$(grep -cF 'text: column 2; second text: none; label: column 1;' "$folder/err")" = 2
for key in '"format": "csv"' '"columns": 2' '"has_header": false' '"delimiter": ","' '"number": 2'; do
    test_that "adapter.json keeps $key" grep -qF "$key" "$adapter/adapter.json"
done

# ---- one column with a header
file one.csv 'utterance\na b c\nd e f\na c e\nb d f\n'
file renamed.csv "utterance,label\n$texts"
train renamed.csv
predict one.csv
test_that 'a header that is an unknown word' says one.csv 'classification, 2 classes: neg, pos; text: column 1 "utterance"; second text: none; label: none; header: the first row'
test_that '  is no row' same texts.jsonl
run predict --model "$model" --adapter "$adapter" --input "$folder/one.csv" --output - --set has_header=false
test_that '  unless that is asked for' test "$(wc -l <"$folder/out")" = 5

# ---- training's header, given by an option, is no answer for another file
file plain.csv "$texts"
file review.csv 'review\nd f b a\nf a b f\na b c d\n'
train plain.csv --set label_column=2 --set has_header=false
test_that 'a header that was given is no guess' silent 'has_header decides'
predict review.csv
test_that '  and of another file found out' says review.csv 'classification, 2 classes: neg, pos; text: column 1 "review"; second text: none; label: none; header: the first row (guessed; has_header decides)'
test_that '  with a row for each text' test "$(wc -l <"$folder/out")" = 3
predict plain.csv
test_that '  as of the same' says plain.csv 'classification, 2 classes: neg, pos; text: column 1; second text: none; label: column 2, not read; header: none (guessed; has_header decides)'
file two.csv 'a b c\nd e f\n'
train named.csv --set label_column=sentiment --set has_header=true
predict two.csv
test_that 'and the reverse' test "$status/$(wc -l <"$folder/out")" = 0/2
file sentence.csv 'I really did not like this film at all.,unknown\na b c d e,1\nb c d e f,0\nc d e f a,1\n'
train sentence.csv --set label_column=2
test_that 'a sentence is no name of a column' says sentence.csv 'classification, 3 classes: 0 (1), 1 (2), unknown (1); text: column 1;'
file blanks.csv 'text , label\na b c , pos\nb c d , neg\n'
train blanks.csv
test_that 'blanks around names' says blanks.csv 'classification, 2 classes: neg (1), pos (1); text: column 1 "text"; second text: none; label: column 2 "label"; header: the first row'

# ---- files as wide as training's, with other columns: a number is believed where its content fits
file support.csv 'Email,Anliegen\na@x.de,a b c\nb@x.de,d e f\nc@x.de,a c e\nd@x.de,b d f\n'
train named.csv --set label_column=sentiment
predict support.csv
test_that "another file's columns" says support.csv 'classification, 2 classes: neg, pos; text: column 2 "Anliegen"; second text: none; label: none; header: the first row'
test_that '  which is said' says support.csv 'training used column "review", which this file does not have; read instead: column 2 "Anliegen"'
test_that '  the texts alone' same texts.jsonl
file tickets.csv '1001,a b c\n1002,d e f\n1003,a c e\n1004,b d f\n'
predict tickets.csv
test_that '  without names' says tickets.csv 'training used column "review", and this file names no columns; read instead: column 2'
test_that '    the texts alone' same texts.jsonl
predict plain.csv
test_that "  training's own without names, which is said" says plain.csv 'training used column "review", and this file names no columns; read instead: column 1'
run eval "$folder/run.yaml" --adapter "$adapter" --set "validation_file=$folder/plain.csv" --set label_column=sentiment
test_that 'a name that training had, in a file without names' says plain.csv 'classification, 2 classes: neg (2), pos (2); text: column 1; second text: none; label: column 2; header: none (guessed; has_header decides)'
test_that '  is its number, which is said' says plain.csv 'training used column "sentiment", and this file names no columns; read instead: column 2;'
cp "$folder/out" "$folder/by_name"
run eval "$folder/run.yaml" --adapter "$adapter" --set "validation_file=$folder/plain.csv" --set label_column=2
test_that '  with the scores of that number' cmp -s "$folder/out" "$folder/by_name"
run eval "$folder/run.yaml" --adapter "$adapter" --set "validation_file=$folder/plain.csv" --set label_column=mood
test_that 'another name' fails 2 "$folder/plain.csv: label_column: no column \"mood\"; the file has: a b c, pos. Its first row was taken for a header because"
file header.csv 'ticket,team\nprinter broken,IT\nsalary missing,HR\nprinter offline,IT\npay late,HR\n'
train header.csv --set label_column=2
test_that 'names of which none is known' says header.csv 'classification, 2 classes: HR (2), IT (2); text: column 1 "ticket"; second text: none; label: column 2 "team"; header: the first row (guessed'
test_that '  of few rows, with a word' says header.csv 'its first row was read as a header, though "team" may be a label; if it is, set has_header: false'

# ---- which column is the text
file id.csv 'id,review,label\n17,a b c,pos\n18,d e,neg\n'
train id.csv
test_that 'an ID is no text' says id.csv 'classification, 2 classes: neg (1), pos (1); text: column 2 "review"; second text: none;'
file news.csv 'Class Index,Title,Description\n3,a b,c d e\n4,b a,e f c\n'
train news.csv --set label_column='Class Index'
test_that 'two texts' fails 2 "$folder/news.csv: text_column is not set, and more than one column could be the text"
test_that '  with kind and example' grep -qxF '    2 "Title": text, such as "a b"' "$folder/err"
train news.csv --set label_column='Class Index' --set text_column=Title --set text_pair_column=3
test_that '  of which both were named' says news.csv 'classification, 2 classes: 3 (1), 4 (1); text: column 2 "Title"; second text: column 3 "Description"'
predict news.csv
test_that '  and are used again' says news.csv 'classification, 2 classes: 3, 4; text: column 2 "Title"; second text: column 3 "Description"; label: column 1 "Class Index", not read'
predict texts.jsonl
test_that 'a pair has no single text for it' fails 2 'training used two texts, column "Title" and column "Description"'

predict texts.jsonl --set text_column=text
test_that '  unless one is named, which is said' says texts.jsonl \
    'training used two texts, column "Title" and column "Description"; read here, as the options say: column "text" alone'
file pairs.jsonl '{"sentence1": "a b", "sentence2": "c"}\n'
predict pairs.jsonl
test_that 'both texts that are read instead are said' says pairs.jsonl 'training used column "Title", which this file does not have; read instead: column "sentence1"; training used column "Description", which this file does not have; read instead: column "sentence2"'

# ---- labels
file whole.csv 'text,label\na,1.0\nb,0.0\nc,1.0\nd,0.0\n'
train whole.csv
test_that '1.0 and 0.0 are classes' says whole.csv 'classification, 2 classes: 0 (2), 1 (2);'
test_that '  which is said' says whole.csv 'its labels are whole numbers with a point (1.0)'
train whole.csv --set task=regression
test_that '  or numbers, where the task says so' says whole.csv 'regression; text'
test_that '  without a word' silent 'whole numbers'
file slip.csv 'text,label\na,1\nb,0\nc,1\nd,0\ne,1\nf,0\ng,1\nh,0\ni,1\nj,3.5\n'
train slip.csv
test_that 'one fraction among classes' says slip.csv 'label "3.5" in line 11 makes this a regression, though 9 of 10 labels are whole numbers;'
file scores.csv 'text,label\na,7\nb,13\nc,40\nd,88\ne,88\n'
train scores.csv
test_that 'whole numbers that are no classes' says scores.csv '3 classes have one row only, the first is "7"; if these are numbers to predict, set task: regression'
file odd.csv 'text,label\na,pos\nb,NA\nc,pos\nd,NA\ne,"3,5"\nf,neg\ng,neg\n'
train odd.csv
test_that 'a class that is a missing value' says odd.csv 'the class "NA" (2 rows) looks like a missing value'
test_that 'a class of one row' says odd.csv 'class "3,5" has one row only'
test_that 'a decimal comma' says odd.csv 'label "3,5" has a decimal comma'
file several.csv 'text,label\na,#N/A\nb,#N/A\nc,\\N\nd,NaT\ne,#DIV/0!\nf,pos\ng,-nan\nh,"3,5"\ni,"4,0"\n'
train several.csv
test_that 'several of them' says several.csv 'the classes "#DIV/0!" (1 row), "#N/A" (2 rows), "-nan" (1 row), "NaT" (1 row), "\N" (1 row) look like missing values'
file spelt.csv 'text,label\na b,TRUE\nc d,False\ne f,FALSE\ntext,label\ne f,"1,000"\na,"-1,000,000.5"\nf,x\n'
train spelt.csv
test_that 'classes that differ in case alone' says spelt.csv 'classes "FALSE", "False" differ in upper and lower case alone; where they are the same, write them alike'
test_that '  the header once more' says spelt.csv:5 'the names of the columns once more, read as a row; where files were joined, remove the headers of all but the first: sed 5d <OLD >NEW'
test_that '  commas of thousands' says spelt.csv 'labels "-1,000,000.5", "1,000" have commas of thousands or of decimals, and so are names of classes'
file toxic.csv 'text,toxic\na b,toxic\nc d,clean\ne f,toxic\na c,clean\n'
train toxic.csv --set label_column=toxic
test_that 'a class that is called as its column is the usual thing' silent 'warning: .*toxic.csv.*\(names\|called\)'
file nli.csv 'text,label\na,0\nb,1\nc,2\nd,-1\ne,0\nf,1\ng,2\n'
train nli.csv
test_that 'what the datasets library writes for no label' says nli.csv 'the class "-1" (1 row) is what the datasets library writes for a row without a label;'
file words.csv 'text,label\na,pos\nb,neg\nd,-1\ne,-1\n'
train words.csv
test_that '  beside words' says words.csv 'the class "-1" (2 rows) is what the datasets library writes'
file rare.csv 'text,label\na,0\nb,1\nc,0\nd,1\ne,-1\n'
train rare.csv
test_that '  beside two classes, much rarer' says rare.csv 'the class "-1" (1 row) is what the datasets library writes'
for classes in '-1 0 1' '-1 1'; do
    { echo text,label; for class in $classes $classes; do echo "a b,$class"; done; } >"$folder/feelings.csv"
    train feelings.csv
    test_that "a class of its own among $classes" silent 'datasets library'
done
{ echo text,label; for class in -2 -1 0 1 2 -2 -1 0 1 2; do echo "a b,$class"; done; } >"$folder/scale.csv"
train scale.csv
test_that 'nor in a scale' silent 'datasets library'
file codes.csv 'text,label\na,1A1\nb,1E1\nc,1C1\nd,1E1\ne,1A1\n'
train codes.csv
test_that 'a code such as 1E1 is no number' says codes.csv 'classification, 3 classes: 1A1 (2), 1C1 (1), 1E1 (2);'

# ---- a key, a delimiter or a tag that a few rows have
{ for i in 1 2 3 4 5; do echo "{\"text\": \"a $i b\", \"label\": $((i % 2))}"; done; echo '{"text": "a", "label": 1, "sentence": "kept"}'; } >"$folder/stray.jsonl"
train stray.jsonl
test_that 'a stray key that has a known name' says stray.jsonl 'classification, 2 classes: 0 (2), 1 (4); text: "text"; second text: none; label: "label"'
printf '{"text":"a b c","text_pair":"b c d","label":1}\n{"text":"b c d","text_pair":null,"label":0}\n' >"$folder/null.jsonl"
train null.jsonl
test_that 'a second text that is null is empty' says null.jsonl 'classification, 2 classes: 0 (1), 1 (1); text: "text"; second text: "text_pair"'
file held.tsv 'label\ttext\n1\t"a\tb c"\n0\t"c\td e"\n1\t"a\tb d"\n'
train held.tsv
test_that 'a tab in every quoted text' says held.tsv 'classification, 2 classes: 0 (1), 1 (2); text: column 2 "text"'
file bars.csv 'a b|c d,1\nb c|d|e f,0\nc 1|2|3 d,1\n'
train bars.csv --set label_column=2
test_that 'bars in texts are no delimiter' says bars.csv 'classification, 2 classes: 0 (1), 1 (2); text: column 1;'
file tags.tsv '<html>a b</html>\tham\n<p>c d</p>\tspam\n'
train tags.tsv --set label_column=2
test_that 'a text that is a page is no page' says tags.tsv 'classification, 2 classes: ham (1), spam (1); text: column 1;'

file twice.csv 'id,text\n1,a b\n2,c d\nid,text\n3,a f\nid,text\n'
predict twice.csv
test_that 'in predict, too' says twice.csv:4 'the names of the columns once more, read as a row, the first of several such'
file talk.csv 'comment\na b\nc d\nComment\na f\ncomment\n'
predict talk.csv
test_that '  but a text may be as its only column is called' silent 'once more'
file talks.csv 'comment,id\na b,1\nc d,2\nComment,ID\n'
predict talks.csv
test_that '  though they differ in case' says talks.csv:4 'the names of the columns once more'
file thousands.csv 'text,label\na b,"1,000"\nc d,2.5\n'
train thousands.csv --set task=regression
test_that '  and in regression' fails 1 'thousands.csv:2: label "1,000" is not a number, as regression needs; write no comma between thousands, and a point for a decimal one'
train several.csv
test_that '  and commas' says several.csv 'labels "3,5", "4,0" have decimal commas'
train odd.csv --set task=regression
test_that '  is no number' fails 1 "$folder/odd.csv:2: label \"pos\" is not a number"
file comma.csv 'text,label\na,"3,5"\n'
train comma.csv --set task=regression
test_that '  and what to do' fails 1 "$folder/comma.csv:2: label \"3,5\" is not a number, as regression needs; write a point"
file german.csv 'text;label\na b;2.500\nc d;900\na c;1.000\nb;1.234.567\n'
train german.csv --set delimiter=semicolon --set task=regression
test_that 'points of thousands are no number' fails 1 'german.csv:5: label "1.234.567" is not a number, as regression needs; write no point between thousands'
file points.csv 'text;label\na b;2.500\nc d;900\na c;1.000\n'
train points.csv
test_that '  or may be' says points.csv 'label "2.500" in line 2 is read as 2.5, and all others that have a point have three digits behind it, too; if the point parts thousands, remove it in all labels'
file points.csv 'text;label\na b;1.200\nc d;1.300\na c;1.200\n'
train points.csv --set task=classification
test_that '  but not of classes, which keep their names' silent 'thousands'
for label in 0.750 1250 3.50; do
    file points.csv "text;label\na b;2.500\nc d;900\na c;$label\n"
    train points.csv
    test_that "  but not beside $label" silent 'thousands'
done
file mixed.csv 'text;label\na b;2.500\nc d;3,5\n'
train mixed.csv
test_that '  beside a decimal comma' fails 1 'mixed.csv:3: label "3,5" is not a number, but "2.500" in line 2 made this a regression; write a point for a decimal comma, and none between thousands'
file whole.csv 'text;label\na b;1.234,5\nc d;1.000\n'
train whole.csv
test_that '  beside which whole numbers are told of' says whole.csv 'label "1.000" in line 3 is read as 1, and others have a decimal comma;'
test_that '    as is such a number' says whole.csv 'label "1.234,5" has a decimal comma'

# ---- quotes that no format takes for such
file weka.csv "text,label\n'a b',pos\n'c d',neg\n'a c',pos\n"
train weka.csv
test_that 'texts in single quotes' says weka.csv "3 of 3 texts are in single quotes ('...'), which no format takes for quotes: they are read as part of the text; write the fields in double quotes, or in none"
file commas.csv "text,label\n'a, b',pos\n'c d',neg\n"
train commas.csv
test_that '  which hold no comma' fails 1 'commas.csv:2: 3 columns, where the header has 2; a field that holds the delimiter is written in double quotes'
file cites.csv "text,label\n'a b',pos\n'c d',neg\n'a c',pos\n'tis a b,neg\n"
train cites.csv
test_that '  but not a few that are citations' silent 'single quotes'

# ---- rows that are none, and names of rows
file sheet.csv 'text,label\na b,pos\n,\nc d,neg\n,\n,\n'
train sheet.csv
test_that 'a spreadsheet'"'"'s empty rows' says sheet.csv '3 rows with nothing in any column were passed over, as empty lines are'
test_that '  which leaves the others' says sheet.csv 'classification, 2 classes: neg (1), pos (1)'
predict sheet.csv
test_that '  but predict answers each' [ "$(wc -l <"$folder/out")" = 5 ]
file half.csv 'text,label\na b,pos\n,neg\n'
train half.csv
test_that '  but not a row that has a label' fails 1 'half.csv:3: the text (column text) is empty'
file write.csv 'chapter,title,stars\n1,The Good 1,the Bad,0\n2,The Ugly,a film,1\n'
train write.csv --set label_column=stars --set text_column=title
test_that 'names of rows without quotes are told of' says write.csv 'its rows have a field more than its header, and the first one of each was passed over as the row'"'"'s name; where it is none, and a text or number was cut at a delimiter, write that in quotes'
file write.csv '"text","label"\n"1","a b","pos"\n"2","c d","neg"\n'
train write.csv
test_that '  in quotes they are sure' silent 'a field more than'

# ---- delimiters
file excel.csv 'text;label\na, b and c;pos\nd;neg\n'
train excel.csv
test_that 'semicolons' says excel.csv 'classification, 2 classes: neg (1), pos (1); text: column 1 "text"; second text: none; label: column 2 "label"; header: the first row (guessed; has_header decides); delimiter: ";" (guessed; delimiter decides)'
file twice.csv 'text;label\na;b;pos\nd;neg\n'
train twice.csv
test_that 'that do not fit' fails 2 'with ";" it has 2, but line 2 has 3. Set delimiter'
train excel.csv --set 'delimiter=;'
test_that 'set' says excel.csv 'classification, 2 classes: neg (1), pos (1); text: column 1 "text"; second text: none; label: column 2 "label"; header: the first row (guessed; has_header decides); delimiter: ";"'
test_that '  it is no guess' silent 'delimiter decides'
train excel.csv --set delimiter=semicolon
test_that '  by its name' says excel.csv 'classification, 2 classes: neg (1), pos (1); text: column 1 "text"; second text: none; label: column 2 "label"; header: the first row (guessed; has_header decides); delimiter: ";"'
train excel.csv --set delimiter=colon
test_that 'a word that is no delimiter' fails 2 'delimiter: found "colon", expected auto, comma, semicolon, pipe, space, tab or one character'
file colon.csv 'body:label\na b:pos\nd e:neg\n'
train colon.csv --set delimiter=:
predict colon.csv
test_that 'the delimiter of training' says colon.csv 'classification, 2 classes: neg, pos; text: column 1 "body"; second text: none; label: column 2 "label", not read; header: the first row (guessed; has_header decides); delimiter: ":"'

train named.csv --set label_column=sentiment
file punctuated.csv 'a b c | CNN\nd e f | BBC\na c e | CNN\nb d f | CNN\n'
file punctuated.jsonl '{"text":"a b c | CNN"}\n{"text":"d e f | BBC"}\n{"text":"a c e | CNN"}\n{"text":"b d f | CNN"}\n'
file branches.csv 'Bemerkung;Filiale\na b c;Ulm\nd e f;Bonn\na c e;Ulm\n'
predict branches.csv
test_that 'a delimiter that may be one' grep -qF '; each row is read as one text, and all have ";" as often; if that parts columns, set delimiter; ' "$folder/err"
predict punctuated.csv
test_that '  which punctuation is not' silent 'as often'
test_that 'no text is cut' says punctuated.csv 'classification, 2 classes: neg, pos; text: column 1; second text: none; label: none;'
test_that '  which is the whole texts' same punctuated.jsonl
file faces.csv 'a b c ;)\nd e f ;)\na c e ;)\nb d f ;)\n'
file faces.jsonl '{"text":"a b c ;)"}\n{"text":"d e f ;)"}\n{"text":"a c e ;)"}\n{"text":"b d f ;)"}\n'
file trained.jsonl '{"text":"a b","label":"x"}\n{"text":"c d","label":"y"}\n'
train trained.jsonl
predict faces.csv
test_that '  nor a face' same faces.jsonl
file remarks.csv "$(for i in 1 2 3 4 5 6 7 8 9; do printf 'a b, c;-\\nd e;***\\n'; done)a b, d;+"'\n'
predict remarks.csv
test_that '  but a column of marks is one' says remarks.csv 'classification, 2 classes: x, y; text: column 1; second text: none; label: none; header: none (guessed; has_header decides); delimiter: ";"'
train named.csv --set label_column=sentiment
predict texts.jsonl --set has_header=true --set 'delimiter=;'
test_that 'options that jsonl has no use for' says texts.jsonl 'without effect here: has_header, delimiter; jsonl has neither'
file long.csv "$(printf %6000s | tr ' ' x),label\na b,pos\nc d,neg\n"
train long.csv
test_that 'a line as long as it must be' grep -q 'xxxxx"; second text: none; label: column 2 "label"; header: the first row (guessed; has_header decides); delimiter: ","$' "$folder/err"
predict named.csv
test_that '  and what is read in place of such a column' says named.csv 'training used column "xxxxx'

# ---- quotes of a tsv file, and bad rows
file quoted.tsv '"text"\t"label"\n"a ""b"" c"\t"pos"\n"d e\tf"\t"neg"\n'
train quoted.tsv
test_that 'quoted fields between tabs' says quoted.tsv 'classification, 2 classes: neg (1), pos (1); text: column 1 "text"; second text: none; label: column 2 "label"; header: the first row (guessed; has_header decides); delimiter: tab; quotes: around fields (guessed; quotes decides)'
file plain.tsv 'text\n"a b"\nc\n'
predict plain.tsv
test_that '  which predict expects, too' says plain.tsv 'classification, 2 classes: neg, pos; text: column 1 "text"; second text: none; label: none; header: the first row'
test_that '  without a guess' silent 'quotes: '
file cited.tsv 'text\tlabel\n"a b."\tpos\nd e f\tneg\n'
train cited.tsv
test_that 'a text that is a citation' grep -qF 'delimiter: tab; quotes: characters of the texts (guessed; quotes decides)' "$folder/err"
rows=$(for i in 1 2 3 4 5 6 7 8 9 10; do printf '%s' 'a b\tpos\nc d\tneg\na c\tpos\nb d\tneg\ne f\tpos\nf g\tneg\na g\tpos\na f\tneg\nc f\tpos\nc g\tneg\n'; done)
file late.tsv "text\tlabel\n$rows$rows$rows$rows$rows$rows$rows$rows$rows$rows$rows"'"a ""b"" c"\tpos\n'
train late.tsv
test_that 'quotes behind the rows that were looked at' says late.tsv 'texts that are written as quoted fields with quotes inside (""): 1, the first in line 1102; all their quotes are read as part of the text, as the first rows are not quoted so; `quotes: true` reads the fields without them'
file latin.csv 'text;label\nsch\366n;pos\nb c;neg\n'
train latin.csv
test_that 'a spreadsheet in another encoding' fails 1 "$folder/latin.csv:2: not UTF-8: byte 4 of the row is 0xF6; save the file as UTF-8"
file blank.csv 'id, text, label\n1, "a, b", "pos"\n2, "b c", "neg"\n'
train blank.csv
test_that 'blanks before quoted fields' says blank.csv 'classification, 2 classes: neg (1), pos (1); text: column 2 "text"'

# ---- classes that look alike
file alike.csv 'text,label\na b,p\302\240\nb c,p\nc d,n n\nd e,n\302\240n\n'
train alike.csv
test_that 'no-break spaces' says alike.csv 'classification, 3 classes: n n (1), n\u00a0n (1), p (2); text'

# ---- jsonl: numbers that nobody needs
file nan.jsonl '{"text": "a", "label": "x", "p": NaN}\n{"text": "b", "label": "y", "n": 100000000000000000000000000000}\n'
train nan.jsonl
test_that 'NaN in a field that is not used' says nan.jsonl 'classification, 2 classes: x (1), y (1); text: "text"; second text: none; label: "label"'
file listed.jsonl '{"a":"x y z w","b":"p q r","score":NaN,"n":123456789012345678901234567890,"label":0}\n{"a":"x w","b":"p q","score":NaN,"n":223456789012345678901234567890,"label":1}\n'
train listed.jsonl
test_that '  in the list of columns, too' grep -qxF '    3 "score": the same in every row, such as "NaN"' "$folder/err"
test_that '  by its kind' grep -qxF '    4 "n": numbers, such as "123456789012345678901234567890"' "$folder/err"
file bare.jsonl 'NaN\n'
train bare.jsonl
test_that '  and alone it is no row' fails 1 "$folder/bare.jsonl:1: not a JSON object"
file bare.jsonl '"\\\\ud83d"\n'
train bare.jsonl
test_that '  nor is half a character' fails 1 "$folder/bare.jsonl:1: not a JSON object"
file used.jsonl '{"text": "a", "label": 1}\n{"text": "b", "label": NaN}\n'
train used.jsonl
test_that '  and in one that is' fails 1 "$folder/used.jsonl:2: the label (\"label\") is NaN"
file used.jsonl '{"text": "a", "label": 1}\n{"text": 1e999, "label": 0}\n'
train used.jsonl
test_that '  the text' fails 1 "$folder/used.jsonl:2: \"text\" is not a string"

# ---- an adapter of an older version, which names its columns in its configuration alone
file older.csv 'nr,body,title,label\n1,a b,c d,pos\n2,d e,f a,neg\n'
train older.csv --set text_column=body
sed -i 's/"data": {/"former": {/' "$adapter/adapter.json"
predict older.csv
test_that 'without "data"' says older.csv 'classification, 2 classes: neg, pos; text: column 2 "body"; second text: none;'
sed -i 's/"former": {/"data": [1], "former": {/' "$adapter/adapter.json"
predict older.csv
test_that '  "data" of another type' fails 1 "$adapter/adapter.json: \"data\" is not an object"

# ---- an adapter.json that was edited
train named.csv --set label_column=sentiment
sed -i 's/"number": 2/"number": 3/' "$adapter/adapter.json"
predict named.csv
test_that 'a number of a column that is none' fails 1 "$adapter/adapter.json: \"data\": \"label_column\" is missing or malformed"
sed -i 's/"columns": 2/"columns": 0/' "$adapter/adapter.json"
predict named.csv
test_that 'no columns' fails 1 "$adapter/adapter.json: \"data\": \"columns\" is missing or malformed"
train named.csv --set label_column=sentiment
cp "$adapter/adapter.json" "$folder/whole.json"
# edited KEY SED: adapter.json with that change is refused by that key.
edited() {
    sed "$2" "$folder/whole.json" >"$adapter/adapter.json"
    cmp -s "$folder/whole.json" "$adapter/adapter.json" && return 1
    predict named.csv
    fails 1 "$adapter/adapter.json: \"data\": \"$1\" is missing or malformed"
}
test_that 'a delimiter that ends lines' edited delimiter '/"data"/,$s/"delimiter": ","/"delimiter": "\\n"/'
test_that '  or is a quote' edited delimiter '/"data"/,$s/"delimiter": ","/"delimiter": "\\""/'
test_that '  or is none' edited delimiter '/"data"/,$s/"delimiter": ","/"delimiter": null/'
test_that 'a word for the header' edited has_header '/"data"/,$s/"has_header": true/"has_header": "yes"/'
test_that '  and for quotes' edited quotes '/"data"/,$s/"quotes": true/"quotes": 1/'
test_that '  and for token ids' edited input_ids '/"data"/,$s/"input_ids": false/"input_ids": "no"/'
test_that 'a format that is none' edited format '/"data"/,$s/"format": "csv"/"format": "parquet"/'
test_that '  or has no delimiter' edited delimiter '/"data"/,$s/"format": "csv"/"format": "jsonl"/'
test_that 'one column for text and label' edited label_column '/"data"/,$s/"number": 2/"number": 1/'
finish
