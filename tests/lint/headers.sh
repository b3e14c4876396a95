#!/bin/bash
# headers.sh: include/imap/quote.h belongs to proxy/imap/quote.c, is guarded by IMAPMUX_IMAP_QUOTE_H,
# and compiles with nothing before it. A header without functions (types, limits, inline) needs no source.
set -u
flags=$(pkg-config --cflags libuv openssl libconfig libpcre2-8 jansson)
bad=0
complain()
{
	echo "$1"
	bad=1
}

while read -r header; do
	place=${header#*/}
	place=${place%.h}
	guard=IMAPMUX_$(tr 'a-z/-' 'A-Z__' <<<"$place")_H
	if [ "$(grep -m 1 '^#' "$header")" != "#ifndef $guard" ]; then
		complain "$header: the first directive is not #ifndef $guard"
	fi
	if [[ $header == include/* ]] && [ ! -e "proxy/$place.c" ]; then
		if ctags -f - --kinds-C=p "$header" | grep -q .; then
			complain "$header: declares functions, but there is no proxy/$place.c"
		fi
	fi
	# shellcheck disable=SC2086 # a list of words is meant
	cc -std=c11 -D_GNU_SOURCE -Iinclude -Itests $flags -Wall -Wextra -Werror -fsyntax-only -x c - <<<"#include \"$header\"" -I. ||
		complain "$header: does not compile alone"
done < <(find include proxy tests/bench -name '*.h' | sort)

[ "$bad" -eq 0 ]
