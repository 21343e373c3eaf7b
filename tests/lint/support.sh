#!/bin/sh
# The tools that tests and build rely on, each shown to turn red where it must: the TAP filter, the choice of a driver, Oclgrind's
# and valgrind's wrappers (with stand-ins for the programs), and the embedding of kernels.
. "$(dirname "$0")/tap.sh"

support=$PWD/tests/support
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# script NAME LINE...: an executable shell script in $work.
script() {
    name=$1
    shift
    { printf '#!/bin/sh\n'; printf '%s\n' "$@"; } >"$work/$name"
    chmod +x "$work/$name"
}

# gives DESCRIPTION EXPECTED COMMAND...: the command's output and exit status, spaces for line ends, match the pattern EXPECTED.
gives() {
    description=$1 expected=$2 status=0
    shift 2
    got=$("$@" 2>/dev/null) || status=$?
    got=$(printf '%s exit %s' "$got" "$status" | tr '\n' ' ')
    # shellcheck disable=SC2254 # a pattern
    case $got in
    $expected) check "$description" '' ;;
    *) check "$description" "expected: $expected, got: $got" ;;
    esac
}

script skips 'echo 1..2' 'echo "not ok 1 # SKIP a"' 'echo "ok 2 - b"'
script fails 'echo 1..2' 'echo "ok 1 - a"' 'echo "not ok 2 - b"' 'exit 77'
script crashes 'echo 1..2' 'echo "ok 1 - a"' 'kill -KILL $$'
gives 'a skip of cmocka reads as a skip' '1..2 ok 1 # SKIP a ok 2 - b exit 0' sh "$support/tap-cmocka.sh" "$work/skips"
gives 'a failure is told once, and no count of failures is an exit status' '1..2 ok 1 - a not ok 2 - b exit 0' \
    sh "$support/tap-cmocka.sh" "$work/fails"
gives 'a crash is passed on' '1..2 ok 1 - a exit 137' sh "$support/tap-cmocka.sh" "$work/crashes"
gives 'a missing program is passed on' ' exit 127' sh "$support/tap-cmocka.sh" "$work/none"

script python 'exit 1'
for test in io text; do
    python="env srcdir=. SPEFT_PYTHON=$work/python sh tests/unit/${test}_python.sh"
    # shellcheck disable=SC2086 # words
    {
        gives "a Python without the packages of ${test}_python is a skip" '1..0 # SKIP * exit 0' env SPEFT_REQUIRE_DRIVERS='pocl intel' $python
        gives '  and a failure where python is required' '1..1 not ok 1 - * exit 0' env SPEFT_REQUIRE_DRIVERS='pocl python' $python
    }
done

mkdir "$work/icd"
script shows "printf '%s %s\n' \"\$SPEFT_TEST_DRIVER\" \"\$(cat \"\$OCL_ICD_VENDORS\"/*.icd 2>/dev/null)\""
run="env TMPDIR=$work SPEFT_ICD_FOLDER=$work/icd SPEFT_INTEL_ROOT=$work SPEFT_CACHE_DIR=$work/cache SPEFT_TEST_DRIVER= SPEFT_REQUIRE_DRIVERS="
# shellcheck disable=SC2086 # words
{
    gives 'a missing driver is a skip' '1..0 # SKIP pocl is not installed exit 0' $run sh "$support/tap-run.sh" "$work/shows-pocl"
    gives 'a missing driver that is required is a failure' '1..1 not ok 1 - pocl * exit 0' \
        $run SPEFT_REQUIRE_DRIVERS='intel pocl' sh "$support/tap-run.sh" "$work/shows-pocl"
    gives 'no driver is exit 77' ' exit 77' $run sh "$support/driver.sh" rusticl true
    gives 'an unknown driver is exit 2' ' exit 2' $run sh "$support/driver.sh" cuda true
    printf 'libpocl.so.2\n' >"$work/icd/pocl.icd"
    : >"$work/libintelocl.so"
    gives 'pocl is pinned' 'pocl libpocl.so.2 exit 0' $run sh "$support/tap-run.sh" "$work/shows-pocl"
    gives 'pocl is the default' 'pocl libpocl.so.2 exit 0' $run sh "$support/tap-run.sh" "$work/shows"
    gives 'intel is pinned' "intel $work/libintelocl.so exit 0" $run sh "$support/tap-run.sh" "$work/shows-intel"
    chmod 777 "$work/cache/drivers"
    gives 'a folder that others can write is not believed' 'pocl libpocl.so.2 exit 0' $run sh "$support/tap-run.sh" "$work/shows-pocl"
    chmod 700 "$work/cache/drivers"
    printf 'libevil.so\n' >"$work/evil.icd"
    for tricked in link file world; do
        rm -rf "$work/cache/drivers" "$work/speft-cl-drivers-$(id -u)"
        mkdir -p "$work/evil"
        for folder in "$work/cache/drivers" "$work/speft-cl-drivers-$(id -u)"; do
            case $tricked in
            link) ln -s "$work/evil" "$folder" ;;
            file) : >"$folder" ;;
            world) mkdir -m 777 "$folder" ;;
            esac
            for pinned in pocl-$(printf libpocl.so.2 | cksum | tr ' ' -); do
                ! mkdir -p "$folder/$pinned" 2>/dev/null || cp "$work/evil.icd" "$folder/$pinned/driver.icd"
            done
        done
        gives "a folder of somebody else's ($tricked) is refused" ' exit 1' $run sh "$support/driver.sh" pocl "$work/shows"
        rm -rf "$work/evil" "$work/cache/drivers" "$work/speft-cl-drivers-$(id -u)"
    done
    gives 'and a folder of one'"'"'s own is made' 'pocl libpocl.so.2 exit 0' $run sh "$support/driver.sh" pocl "$work/shows"
    gives '  for the user alone' "* drwx------ * exit 0" sh -c "echo; ls -ld '$work/cache/drivers' | sed 's/^/ /'"
    printf 'libevil.so\n' | tee "$work/cache/drivers"/*/driver.icd >/dev/null
    gives 'what it holds is looked at' 'pocl libpocl.so.2 exit 0' $run sh "$support/driver.sh" pocl "$work/shows"
    pinned=$(echo "$work/cache/drivers"/pocl-*)
    printf 'libevil.so\n' >"$pinned/other.icd"
    gives '  and with it no other driver' ' exit 1' $run sh "$support/driver.sh" pocl "$work/shows"
    rm "$pinned/other.icd"
    chmod 777 "$pinned"
    gives 'nor may others write to it' ' exit 1' $run sh "$support/driver.sh" pocl "$work/shows"
    rm -r "$pinned"
    mkdir "$work/evil"
    ln -s "$work/evil" "$pinned"
    gives '  nor is it a link' ' exit 1' $run sh "$support/driver.sh" pocl "$work/shows"
    gives '  through which anything is written' ' exit 0' find "$work/evil" -mindepth 1
    rm "$pinned"
    mkdir "$pinned"
    printf 'libpocl.so.2\n' >"$work/evil/driver.icd"
    ln -s "$work/evil/driver.icd" "$pinned/driver.icd"
    gives '  and a link in it is replaced' 'pocl libpocl.so.2 exit 0' sh -c "umask 0; $run sh '$support/driver.sh' pocl '$work/shows'"
    gives '  by a file of its own' '-rw------- exit 0' sh -c "ls -l '$pinned/driver.icd' | cut -d ' ' -f 1"
    mkdir "$work/tree"
    gives "the tests' cache is in the build tree" "$work/tree/cache exit 0" $run sh "$support/driver.sh" --cache "$work/tree/cache"
    chmod 777 "$work/tree"
    gives '  unless others can write there' "$work/speft-cl-tests-*/* exit 0" $run sh "$support/driver.sh" --cache "$work/tree/cache"
    gives 'a folder below one of everybody'"'"'s is not believed' "pocl libpocl.so.2 exit 0" $run SPEFT_CACHE_DIR="$work/tree/own/cache" \
        sh "$support/driver.sh" pocl "$work/shows"
    gives '  nor is anything made there' ' exit 1' test -e "$work/tree/own"
    mkdir -p "$work/tree/own/cache/venv/lib"
    : >"$work/tree/own/cache/venv/lib/libintelocl.so"
    gives '  nor its packages' ' exit 77' $run SPEFT_INTEL_ROOT= SPEFT_CACHE_DIR="$work/tree/own/cache" sh "$support/driver.sh" intel true
    gives 'a folder is looked at with those above it' ' exit 1' $run sh "$support/driver.sh" --alone "$work/tree/own"
    chmod 755 "$work/tree"
    gives '  which may be to come' ' exit 0' $run sh "$support/driver.sh" --alone "$work/tree/own/to/come"
    gives '  and whose packages are taken then' "intel $work/tree/own/cache/venv/lib/libintelocl.so exit 0" $run SPEFT_INTEL_ROOT= \
        SPEFT_CACHE_DIR="$work/tree/own/cache" sh "$support/driver.sh" intel "$work/shows"
    chmod 777 "$work/tree/own/cache/venv/lib"
    gives '  unless others can write to their folder' ' exit 77' $run SPEFT_INTEL_ROOT= SPEFT_CACHE_DIR="$work/tree/own/cache" \
        sh "$support/driver.sh" intel "$work/shows"
    chmod 755 "$work/tree/own/cache/venv/lib"
    chmod 666 "$work/tree/own/cache/venv/lib/libintelocl.so"
    gives '  or to the library' ' exit 77' $run SPEFT_INTEL_ROOT= SPEFT_CACHE_DIR="$work/tree/own/cache" \
        sh "$support/driver.sh" intel "$work/shows"
    script id "case \$1 in -?n) echo 12345; echo 'id: cannot find a name' >&2; exit 1 ;; esac" "exec $(command -v id) \"\$@\""
    gives 'a user and a group without a name, of a container, say, have their driver' "pocl libpocl.so.2 exit 0" $run PATH="$work:$PATH" \
        sh -c "sh '$support/driver.sh' pocl '$work/shows' 2>&1"
    gives '  and their folders' ' exit 0' $run PATH="$work:$PATH" sh "$support/driver.sh" --alone "$work"
    rm "$work/id"
    gives 'none has no driver' 'none  exit 0' $run sh "$support/driver.sh" none "$work/shows"
}

# Stand-ins write to the log when the command that they run is called "bad".
mkdir "$work/bin"
# shellcheck disable=SC2016 # the stand-in's own variables
for tool in oclgrind valgrind; do
    script "bin/$tool" 'while :; do case $1 in --log) log=$2; shift ;; --log-file=*) log=${1#*=} ;; --max-errors) shift ;;' \
        '-*) ;; *) break ;; esac; shift; done' '"$@"; status=$?' 'case $1 in *bad) echo fault >"$log" ;; esac' 'exit $status'
    script good 'echo ran'
    script bad 'echo ran'
    script poor 'echo ran; exit 3'
    gives "$tool.sh passes a clean run" 'ran exit 0' env PATH="$work/bin:$PATH" sh "$support/$tool.sh" "$work/good"
    gives "$tool.sh fails on a report" 'ran # *fault exit 1' env PATH="$work/bin:$PATH" sh "$support/$tool.sh" "$work/bad"
    gives "$tool.sh passes a failure on" 'ran exit 3' env PATH="$work/bin:$PATH" sh "$support/$tool.sh" "$work/poor"
done

# Every byte but zero, the awkward ones beside each other, no line end at the end; and an empty file.
awk 'BEGIN { for (i = 1; i < 256; i++) printf "%c", i; printf "\"\\\n??/\\0\r\n%%s" }' >"$work/all.cl"
: >"$work/empty.cl"
sh autotools/embed.sh "$work" cl/all.cl cl/empty.cl >"$work/sources.c"
cat >"$work/print.c" <<'PROGRAM'
#include "runtime/kernel/sources.h"
#include <stdio.h>
#include <string.h>
int main(void)
{
    fwrite(sp_cl_sources[0].text, 1, sp_cl_sources[0].length, stdout);
    return !(sp_cl_source_count == 2 && strcmp(sp_cl_sources[0].path, "all.cl") == 0 && sp_cl_sources[1].length == 0 &&
             sp_cl_sources[1].text[0] == 0 && strlen(sp_cl_sources[0].text) == sp_cl_sources[0].length);
}
PROGRAM
check 'kernels are embedded byte for byte' "$({
    ${CC:-cc} -iquote . -o "$work/print" "$work/print.c" "$work/sources.c" && "$work/print" >"$work/back" &&
        cmp "$work/all.cl" "$work/back"
} 2>&1 || echo failed)"
finish
