#!/bin/bash
# man.sh PAGE...: manual pages without a warning, by both programs that people read them with.
set -u
bad=0
for page in "$@"; do
	mandoc -T lint -W warning "$page" || bad=1
	said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
	if [ -n "$said" ]; then
		echo "$said"
		bad=1
	fi
done
[ "$bad" -eq 0 ]
