#!/bin/bash
# run.sh BINARY [PYTEST-ARGUMENT...]: the end-to-end tests with this imapmux.
# Sanitizers write to files, because a test may throw the server's log away: a report fails the run
# even where every test passed.
set -u
binary=$(realpath "$1")
shift
here=$(dirname "$0")

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
chmod 1777 "$reports" # a server that has dropped root writes here too
export IMAPMUX=$binary
# A small quarantine: tests of bounded memory look at the resident size.
ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:log_path=$reports/asan
export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=1:thread_local_quarantine_size_kb=64
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan
TSAN_OPTIONS=second_deadlock_stack=1:log_path=$reports/tsan:suppressions=$(realpath "$here/../lib/tsan.supp"):print_suppressions=0
export TSAN_OPTIONS
LSAN_OPTIONS=suppressions=$(realpath "$here/../lib/lsan.supp"):print_suppressions=0
export LSAN_OPTIONS
export PYTHONDONTWRITEBYTECODE=1

# Old sanitizers do not find their shadow memory where a new kernel randomises many address bits.
still=()
if setarch -R true 2>/dev/null; then
	still=(setarch -R)
fi

"${still[@]}" "${PYTHON:-/usr/bin/python3}" -m pytest -p no:cacheprovider -q "$here" "$@" </dev/null
status=$?

found=("$reports"/*)
if [ -e "${found[0]}" ]; then
	head -n 200 "${found[@]}"
	echo "${#found[@]} sanitizer reports"
	exit 1
fi
exit "$status"
