#!/bin/sh
# The command line itself: help, versions, mistakes. No command here needs a device, and none may look for one.
. "${srcdir:-.}/tests/cli/tap.sh"
OCL_ICD_VENDORS=/nonexistent
export OCL_ICD_VENDORS

run --version
test_that '--version prints it' prints "speft-cl $(cat "${srcdir:-.}/VERSION")"
run version
test_that 'version does, too' prints "speft-cl $(cat "${srcdir:-.}/VERSION")"
run --help
test_that '--help lists the commands' prints 'print the version'
commands=$(sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' "$folder/out")
for command in $commands; do
    run "$command" --help
    test_that "$command --help" prints "usage: speft-cl $command"
    run help "$command"
    test_that "help $command" prints "usage: speft-cl $command"
    run "$command" --hlep
    test_that "$command with a flag misspelt" fails_with 2 'has no flag --hlep; did you mean --help?'
done

run
test_that 'no command' fails_with 2 'See speft-cl --help'
run versoin
test_that 'a command misspelt' fails_with 2 'there is no command versoin; did you mean version?'
run help xyzzyplugh
test_that 'no command is near' fails_with 2 'there is no command xyzzyplugh (see'
run version now
test_that 'an argument too many' fails_with 2 'version has no use for "now"'
run version --quiet=1
test_that 'a switch with an argument' fails_with 2 'has no flag --quiet=1'
run help --man=1
test_that 'a switch of its own with an argument' fails_with 2 '--man takes no argument'
run tokenize --model
test_that 'a flag without its argument' fails_with 2 '--model needs an argument: --model DIR'
run tokenize
test_that 'a flag that is needed' fails_with 2 'tokenize needs --model'
run version -- --help
test_that 'after -- nothing is a flag' fails_with 2 'version has no use for "--help"'
run -x
test_that 'a flag instead of a command' fails_with 2 'there is no command -x'

run help --man
test_that 'the manual names every option' prints 'learning_rate'
cp "$folder/out" "$folder/speft-cl.1"
test_that 'the manual has every command' sh -c "
    for command in $(echo $commands); do grep -q \"^.SS \$command \" '$folder/speft-cl.1' || exit 1; done"
if command -v groff >/dev/null; then
    groff -ww -man -Tascii "$folder/speft-cl.1" >/dev/null 2>"$folder/err" || true
    test_that 'groff has no warning about it' test ! -s "$folder/err"
fi
test_that 'make wrote the same manual' cmp -s "$folder/speft-cl.1" doc/speft-cl.1
run help --completion
test_that 'bash completes every command' sh -c "for command in $(echo $commands); do grep -q \"^    ' \$command '\" '$folder/out' || exit 1; done"
test_that '  and options' prints ' learning_rate='
test_that 'make wrote the same completion' cmp -s "$folder/out" doc/completion/speft-cl

if [ -c /dev/full ]; then
    status=0
    ./speft-cl --help >/dev/full 2>"$folder/err" || status=$?
    : >"$folder/out"
    test_that 'a full disk is an error' fails_with 1 'cannot write to standard output'
fi
./speft-cl help --man 2>"$folder/err" | head -n 1 >"$folder/out"
test_that 'a reader that goes away is none' test ! -s "$folder/err"

# A signal ends a command that waits for its input, with 130.
mkdir "$folder/model"
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' a >"$folder/model/vocab.txt"
mkfifo "$folder/input"
for signal in INT TERM; do
    ./speft-cl tokenize --model "$folder/model" <"$folder/input" >"$folder/out" 2>"$folder/err" &
    program=$!
    exec 3>"$folder/input"
    sleep 1
    kill -s "$signal" "$program"
    status=0
    wait "$program" || status=$?
    exec 3>&-
    test_that "SIG$signal: exit status 130" test "$status" = 130
    test_that "SIG$signal: a word about it" grep -q '^speft-cl: interrupted$' "$folder/err"
done
finish
