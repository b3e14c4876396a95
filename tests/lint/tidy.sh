#!/bin/bash
# tidy.sh SOURCE: clang-tidy for one file, unless nothing has changed since it was last found clean.
set -u
source=$1
clean=build/tidy/$source.clean

newest=$(find include proxy tests/bench tests/lint/tidy.sh \( -name '*.h' -o -name tidy.sh \) -printf '%T@ %p\n' | sort -n | tail -n 1)
if [ "$clean" -nt "$source" ] && [ "$clean" -nt "${newest#* }" ]; then
	exit 0
fi

checks='-*,bugprone-*,cert-*,clang-analyzer-*,readability-misleading-indentation,misc-redundant-expression'
checks+=',-bugprone-easily-swappable-parameters'  # every (length, count) pair
checks+=',-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp'  # _GNU_SOURCE, cmocka
checks+=',-bugprone-branch-clone'  # switch arms that happen to agree
checks+=',-bugprone-narrowing-conversions'  # -Wconversion by another name
checks+=',-cert-err33-c'  # each unchecked fprintf(stderr)
checks+=',-clang-analyzer-valist.Uninitialized'  # does not know a va_list parameter
checks+=',-clang-analyzer-unix.Malloc'  # does not follow intrusive lists
checks+=',-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling'  # wants memcpy_s
checks+=',-bugprone-not-null-terminated-result'  # memchr on bytes that are no string

# shellcheck disable=SC2046 # a list of words is meant
said=$(clang-tidy --quiet --warnings-as-errors='*' --checks="$checks" "$source" -- \
	-std=c11 -D_GNU_SOURCE -DIMAPMUX_GSSAPI -Iinclude -Itests \
	$(pkg-config --cflags libuv openssl libconfig libpcre2-8 jansson krb5-gssapi) 2>&1)
status=$?
if [ "$status" -eq 0 ]; then
	mkdir -p "$(dirname "$clean")"
	touch "$clean"
else
	echo "$said"
fi
exit "$status"
