#!/bin/bash
# all.sh MAKE: every part that CI runs, in the order in which a mistake is told soonest. A part that
# fails does not keep the next one from running; the summary comes last.
set -u
make=$1
summary=
failed=0

part()
{
	name=$1
	shift
	echo "== $name"
	local start=$SECONDS result=passed
	if ! "$make" --no-print-directory "$@"; then
		result=FAILED
		failed=$((failed + 1))
	fi
	summary+=$(printf '%-10s %-7s %4d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

jobs=-j$(nproc)
part deps build/.deps-test
part build "$jobs" all debug
part lint lint
part unit "$jobs" unit
part fuzz "$jobs" fuzz FUZZ_SEED=1 # the same inputs each time: exploring is the night's
part e2e e2e BINARY=build/asan/imapmux
part tsan "$jobs" tsan
part release e2e PYTEST="-m threads" # optimised: what is installed

echo "== summary"
printf '%s' "$summary"
echo "total $SECONDS s, $failed parts failed"
[ "$failed" -eq 0 ]
