#!/bin/sh
# embed.sh FOLDER FILE...: prints C source that holds each FILE byte for byte, in the table that runtime/kernel/sources.h
# declares. FILE is named from the top of the tree ("cl/norm/layernorm.cl"); the table calls it "norm/layernorm.cl".
set -eu
folder=$1
shift

printf '/* Made by autotools/embed.sh from the files under cl/. */\n#include "runtime/kernel/sources.h"\n\n'
n=0
for file in "$@"; do
    printf 'static const unsigned char source_%d[] = { /* %s */\n' "$n" "$file"
    od -An -v -tu1 "$folder/${file#cl/}" | sed 's/  *\([0-9][0-9]*\)/\1,/g'
    printf '0 };\n\n'
    n=$((n + 1))
done
printf 'const struct sp_cl_source sp_cl_sources[] = {\n'
n=0
for file in "$@"; do
    printf '    { "%s", (const char *)source_%d, sizeof source_%d - 1 },\n' "${file#cl/}" "$n" "$n"
    n=$((n + 1))
done
printf '    { 0, 0, 0 },\n};\nconst size_t sp_cl_source_count = %d;\n' "$n"
