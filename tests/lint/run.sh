#!/bin/bash
# run.sh: every check of the sources, one line each with its time; all run, and any that complains
# fails the whole.
set -u
here=$(dirname "$0")
failed=0

check()
{
	local name=$1 start said
	shift
	start=$(date +%s%N)
	if said=$("$@" 2>&1); then
		printf 'ok   %-12s %6d ms\n' "$name" $((($(date +%s%N) - start) / 1000000))
	else
		printf 'FAIL %s\n%s\n' "$name" "$said"
		failed=$((failed + 1))
	fi
}

sources()
{
	find proxy tests/bench -name '*.c' -print0 | sort -z
}

format()
{
	find proxy include tests -name '*.[ch]' -print0 | xargs -0 -r clang-format --dry-run -Werror
}

tidy()
{
	sources | xargs -0 -r -n 1 -P "$(nproc)" "$here/tidy.sh"
}

cpp_check()
{
	sources | xargs -0 -r cppcheck --quiet -j "$(nproc)" --std=c11 --enable=warning,portability --inline-suppr \
		--suppress=missingInclude --suppress=unknownMacro --suppress=internalAstError --error-exitcode=1 -Iinclude -Itests
}

shell()
{
	{ grep -rlE '^#!/bin/(ba)?sh' tests && echo .ci/run; } | xargs shellcheck
}

python()
{
	find tests -name '*.py' -print0 | xargs -0 -r /usr/bin/python3 -m pyflakes
}

check self "$here/self.sh"
check layers "$here/layers.sh"
check words "$here/words.sh"
check sizes "$here/sizes.sh"
check headers "$here/headers.sh"
check settings "$here/settings.sh"
check man "$here/man.sh" etc/man/*
check format format
check cppcheck cpp_check
check tidy tidy
check shell shell
check python python
[ "$failed" -eq 0 ]
