#!/bin/bash
# sizes.sh: a file one can read in one sitting, a function one can see at once.
set -u
here=$(dirname "$0")
source_lines=500
header_lines=200
function_lines=80
brace_depth=4 # the function's own braces are the first

{
	find proxy tests/bench -name '*.c' -exec wc -l {} + | awk -v most=$source_lines '
		$2 != "total" && $1 > most { print $2 ": " $1 " lines, " most " at most" }'
	find include proxy tests/bench -name '*.h' -exec wc -l {} + | awk -v most=$header_lines '
		$2 != "total" && $1 > most { print $2 ": " $1 " lines, " most " at most" }'
	find proxy tests/bench -name '*.c' -print0 | sort -z | xargs -0 -r ctags -f - --fields=+ne --kinds-C=f |
		awk -F '\t' -v most=$function_lines '{
			for (i = 4; i <= NF; i++) {
				if ($i ~ /^line:/) from = substr($i, 6)
				if ($i ~ /^end:/) to = substr($i, 5)
			}
			if (to - from + 1 > most) print $2 ":" from ": " $1 " has " to - from + 1 " lines, " most " at most"
		}'
	find proxy tests/bench -name '*.c' -print0 | sort -z | xargs -0 -r awk -f "$here/code.awk" |
		awk -v most=$brace_depth '{
			match($0, /^[^:]*:[0-9]*:/)
			place = substr($0, 1, RLENGTH)
			split(place, part, ":")
			if (part[1] != file) { file = part[1]; depth = 0 }
			text = substr($0, RLENGTH + 1)
			for (i = 1; i <= length(text); i++) {
				c = substr(text, i, 1)
				if (c == "{" && ++depth == most + 1) print place " braces " depth " deep, " most " at most"
				if (c == "}") depth--
			}
		}'
} | { ! grep .; }
