#!/bin/bash
# cov.sh PROGRAM TEST...: runs the unit tests and the end-to-end tests, then prints what each source
# file had covered. Both kinds count; a summary only, for lines: llvm-cov show tells more.
set -u
program=$1
shift
export LLVM_PROFILE_FILE=$PWD/build/cov/profile/%p-%m.profraw
rm -rf build/cov/profile
tests/unit/run.sh "$@"
tests/e2e/run.sh "$program"

llvm-profdata merge -sparse -o build/cov/all.profdata build/cov/profile/*.profraw
objects=()
for test in "$@"; do
	objects+=(-object "$test")
done
llvm-cov report -use-color=0 -show-region-summary=0 -instr-profile build/cov/all.profdata "$program" "${objects[@]}" proxy
