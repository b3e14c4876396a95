#!/bin/bash
# run.sh PROGRAM...: runs cmocka programs, one line each, and ends with "N passed, N failed".
# A program that dies, hangs or is stopped by a sanitizer counts as one failed test.
set -u
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
TSAN_OPTIONS=second_deadlock_stack=1:suppressions=$(dirname "$0")/../lib/tsan.supp:print_suppressions=0
export TSAN_OPTIONS
LSAN_OPTIONS=suppressions=$(dirname "$0")/../lib/lsan.supp:print_suppressions=0
export LSAN_OPTIONS

# Old sanitizers do not find their shadow memory where a new kernel randomises many address bits.
still=()
if setarch -R true 2>/dev/null; then
	still=(setarch -R)
fi

passed=0
failed=0
skipped=0
for program in "$@"; do
	log=$program.log
	start=$(date +%s%N)
	timeout -k 5 "${UNIT_TIMEOUT:-120}" "${still[@]}" "$program" >"$log" 2>&1 </dev/null
	status=$?
	ms=$((($(date +%s%N) - start) / 1000000))

	good=$(grep -c '^ok ' "$log")
	skip=$(grep -c '^not ok .*# SKIP' "$log")
	bad=$(($(grep -c '^not ok ' "$log") - skip))
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	if [ "$status" -eq 0 ] && [ "$good" -eq 0 ]; then
		echo "no test ran" >>"$log"
		bad=1
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
	skipped=$((skipped + skip))

	name=${program#build/*/tests/}
	name=${name#unit/}
	if [ "$bad" -eq 0 ]; then
		printf '%-4s %-32s %4d tests %6d ms\n' ok "${name%_test}" "$good" "$ms"
	else
		printf '%-4s %-32s %4d failed, %d passed, status %d\n' FAIL "${name%_test}" "$bad" "$good" "$status"
		grep -v '^ok ' "$log" | head -n 100 | sed 's/^/     | /'
	fi
done

if [ "$skipped" -gt 0 ]; then
	echo "$skipped skipped"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
