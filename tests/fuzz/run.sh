#!/bin/bash
# run.sh SECONDS FUZZER...: runs each fuzzer for that long, two at a time, on a copy of its corpus
# (tests/fuzz/corpus/NAME/), so that what it finds stays in build/. One line each; fails on any find.
# FUZZ_SEED in the environment repeats a run; without it each explores elsewhere.
set -u
seconds=$1
shift
LSAN_OPTIONS=suppressions=$(dirname "$0")/../lib/lsan.supp:print_suppressions=0
export LSAN_OPTIONS

fuzz_one()
{
	program=$2
	name=$(basename "$program" _fuzz)
	dir=build/fuzz/run/$name
	log=$dir/log
	mkdir -p "$dir/corpus"
	if [ -d "tests/fuzz/corpus/$name" ]; then
		cp -r "tests/fuzz/corpus/$name/." "$dir/corpus/"
	fi
	"$program" ${FUZZ_SEED:+-seed="$FUZZ_SEED"} -max_total_time="$1" -timeout=5 -rss_limit_mb=2048 -use_value_profile=0 -print_final_stats=1 \
		-artifact_prefix="$dir/" "$dir/corpus" >"$log" 2>&1 </dev/null
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	reached=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	if [ "$status" -eq 0 ]; then
		printf 'ok   %-20s %9s runs, %5s edges\n' "$name" "$runs" "$reached"
	else
		printf 'FAIL %-20s status %s\n' "$name" "$status"
		grep -E -m 1 -A 60 'ERROR:|runtime error:|SUMMARY:' "$log" | sed 's/^/     | /'
		echo "     input kept in $dir"
		return 1
	fi
}
export -f fuzz_one

printf '%s\0' "$@" | xargs -0 -r -n 1 -P 2 bash -c 'fuzz_one "$@"' fuzz_one "$seconds"
