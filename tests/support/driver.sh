#!/bin/sh
# driver.sh NAME COMMAND [ARG]...: runs COMMAND with one OpenCL driver and no other.
# driver.sh --cache FOLDER: prints a folder for the tests' cache, FOLDER unless somebody else could write there.
# driver.sh --alone FOLDER: succeeds when nobody else can put anything there, in it or in its way.
# driver.sh --kept: prints the folder in which the program keeps what is its own, from / on.
# driver.sh --have NAME: succeeds when that driver is installed, and prints nothing.
#
#   pocl      PoCL, the portable CPU driver (Debian's pocl-opencl-icd)
#   intel     Intel's CPU runtime (PyPI's intel-opencl-rt and intel-cmplr-lib-rt), from $SPEFT_INTEL_ROOT: a virtual environment
#             or a folder that holds libintelocl.so, and that nobody else can write to; by default what `./dev check` makes in the cache folder
#   rusticl   Mesa's rusticl on llvmpipe (Debian's mesa-opencl-icd)
#   none      no driver at all
#   auto      $SPEFT_TEST_DRIVER when set, else pocl when installed, else whatever the machine offers
#
# COMMAND finds the name in $SPEFT_TEST_DRIVER. A driver that is not there: exit 77, or 1 when $SPEFT_REQUIRE_DRIVERS names it ("pocl intel"), with a word on stderr.
set -eu
case ${SPEFT_CACHE_DIR:-}:${XDG_CACHE_HOME:-} in # as runtime/base/fs.c, which takes no relative $XDG_CACHE_HOME
?*:*) cache=$SPEFT_CACHE_DIR ;;
:/*) cache=$XDG_CACHE_HOME/speft-cl ;;
*) cache=${HOME:-/nonexistent}/.cache/speft-cl ;;
esac
case $cache in /*) ;; *) cache=$(pwd)/$cache ;; esac
system=${SPEFT_ICD_FOLDER:-/etc/OpenCL/vendors}

# Prints the library that the first installed .icd file of those named holds.
icd_library() {
    for icd in "$@"; do
        if [ -f "$system/$icd" ]; then
            head -n 1 "$system/$icd"
            return 0
        fi
    done
    return 1
}

# Prints the driver's library: a path or a name that the loader finds.
library() {
    case $1 in
    pocl) icd_library pocl.icd ;;
    rusticl) icd_library rusticl.icd ;;
    intel)
        for root in "${SPEFT_INTEL_ROOT:-}" "$cache/venv"; do
            for file in "$root/lib/libintelocl.so" "$root/libintelocl.so"; do
                [ -n "$root" ] && [ -f "$file" ] || continue
                if ! alone "$(dirname "$file")" || ! own_file "$file"; then
                    printf 'driver.sh: %s is not used: it, or a folder that it lies in, is not yours alone\n' "$file" >&2
                    continue
                fi
                printf '%s\n' "$file"
                return 0
            done
        done
        return 1
        ;;
    *) return 1 ;;
    esac
}

# The user's own group, of the user's name and with no other member; "" for none, as where user or group is a mere number (a
# container's, often). Its right to write is the user's.
own_group=$(id -gn 2>/dev/null) || own_group=
if [ "$(id -u)" = 0 ] || [ "$own_group" != "$(id -un 2>/dev/null)" ] || ! members=$(getent group "$own_group" 2>/dev/null); then
    own_group=
else
    case ${members##*:} in '' | "$own_group") ;; *) own_group= ;; esac
fi

# trusted FOLDER: it belongs to this user or root, and nobody else can put anything in it; in a sticky one, nor replace what is there.
trusted() {
    [ -n "$(find "$1/." -prune -type d \( -user 0 -o -user "$(id -u)" \) \
        \( -perm -1000 -o ! -perm -002 \( ! -perm -020 ${own_group:+-o -group "$own_group"} \) \) 2>/dev/null)" ]
}

# own_file FILE: it, or what it leads to, belongs to this user or root, and nobody else can write to it.
own_file() {
    [ -n "$(find -L "$1" -prune -type f \( -user 0 -o -user "$(id -u)" \) ! -perm -002 \
        \( ! -perm -020 ${own_group:+-o -group "$own_group"} \) 2>/dev/null)" ]
}

# alone FOLDER: trusted, as is every folder above it; of one that is not there, those above its place.
alone() {
    at=$1
    until [ -d "$at" ]; do
        [ "$at" != "$(dirname "$at")" ] || return 1
        at=$(dirname "$at")
    done
    at=$(cd "$at" && pwd -P) || return 1
    while trusted "$at"; do
        [ "$at" != / ] || return 0
        at=$(dirname "$at")
    done
    return 1
}

# own FOLDER: no link, this user's, and nobody else can write there.
own() {
    [ -n "$(find "$1" -prune -type d -user "$(id -u)" ! -perm -020 ! -perm -002 2>/dev/null)" ] && [ -w "$1" ]
}

# Prints a folder that is this user's alone, made where it is missing: what it holds decides what code is loaded.
own_folder() {
    for folder in "$cache/drivers" "${TMPDIR:-/tmp}/speft-cl-drivers-$(id -u)"; do
        if alone "$folder" && (umask 077 && mkdir -p "$folder") 2>/dev/null && own "$folder"; then
            printf '%s\n' "$folder"
            return 0
        fi
        printf 'driver.sh: %s is not used: it, or a folder above it, is not yours alone, or cannot be written\n' "$folder" >&2
    done
    return 1
}

refuse() {
    printf 'driver.sh: %s %s; remove it\n' "$1" "$2" >&2
    exit 1
}

# A folder of its own for each driver: loaders agree on what a folder means, not on what a file means. They load each .icd file in it.
pin() {
    found=$(library "$1") || missing "$1"
    drivers=$(own_folder) || exit 1
    folder=$drivers/$1-$(printf '%s' "$found" | cksum | tr ' ' -)
    (umask 077 && mkdir -p "$folder") 2>/dev/null || true
    own "$folder" || refuse "$folder" 'is not a folder of yours alone'
    if [ -z "$(find "$folder/driver.icd" -prune -type f -user "$(id -u)" ! -perm -020 ! -perm -002 2>/dev/null)" ] ||
        [ "$found" != "$(cat "$folder/driver.icd")" ]; then
        (umask 077 && printf '%s\n' "$found" >"$folder/driver.icd.$$")
        mv "$folder/driver.icd.$$" "$folder/driver.icd"
    fi
    other=$(find "$folder" -name '*.icd' ! -path "$folder/driver.icd")
    [ -z "$other" ] || refuse "$other" 'would be loaded, too'
    OCL_ICD_VENDORS=$folder
    OCL_ICD_FILENAMES=
    export OCL_ICD_VENDORS OCL_ICD_FILENAMES
}

missing() {
    case " ${SPEFT_REQUIRE_DRIVERS:-} " in
    *" $1 "*)
        printf 'driver.sh: the OpenCL driver %s is required here and not installed\n' "$1" >&2
        exit 1
        ;;
    esac
    printf 'driver.sh: the OpenCL driver %s is not installed\n' "$1" >&2
    exit 77
}

# Prints FOLDER, or, where the program would not keep anything in it because a folder above it is somebody else's, one of this user's.
cache_for() {
    if alone "$(dirname "$1")"; then
        printf '%s\n' "$1"
        return
    fi
    printf '%s/speft-cl-tests-%s/%s\n' "${TMPDIR:-/tmp}" "$(id -u)" "$(printf '%s' "$1" | cksum | tr ' ' -)"
}

if [ "${1:-}" = --cache ]; then
    cache_for "${2:?a folder}"
    exit
fi
if [ "${1:-}" = --kept ]; then
    printf '%s\n' "$cache"
    exit
fi
if [ "${1:-}" = --alone ]; then
    alone "${2:?a folder}"
    exit
fi
if [ "${1:-}" = --have ]; then
    library "${2:?a driver}" >/dev/null
    exit
fi
[ $# -ge 2 ] || { printf 'driver.sh NAME COMMAND [ARG]...\n' >&2; exit 2; }

name=$1
shift
[ "$name" != auto ] || name=${SPEFT_TEST_DRIVER:-auto}
if [ "$name" = auto ] && library pocl >/dev/null; then
    name=pocl
fi
case $name in
auto) exec "$@" ;;
none)
    OCL_ICD_VENDORS=/nonexistent
    OCL_ICD_FILENAMES=
    export OCL_ICD_VENDORS OCL_ICD_FILENAMES
    ;;
pocl | intel) pin "$name" ;;
rusticl)
    pin rusticl
    RUSTICL_ENABLE=llvmpipe
    export RUSTICL_ENABLE
    ;;
*)
    printf 'driver.sh: "%s" is none of pocl, intel, rusticl, none, auto\n' "$name" >&2
    exit 2
    ;;
esac
SPEFT_TEST_DRIVER=$name
export SPEFT_TEST_DRIVER
exec "$@"
