#!/bin/bash
# words.sh: calls that have no safe use here, and words that do not belong into a finished tree.
set -u
here=$(dirname "$0")
bad=0

# find PATTERN WHY [EXCEPT]: in the C code of program and bench, comments and strings left out
find_code()
{
	local lines
	lines=$(grep -E "^[^:]*:[0-9]*:.*($1)" "$code" | grep -vE "${3:-^$}")
	if [ -n "$lines" ]; then
		echo "$lines"
		echo "    ^ $2"
		bad=1
	fi
}

code=$(mktemp)
trap 'rm -f "$code"' EXIT
find proxy include tests/bench -name '*.[ch]' -print0 | sort -z | xargs -0 -r awk -f "$here/code.awk" >"$code"

find_code '\<(strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|gets|alloca)\(' 'no bound, or a bound that lies'
find_code '\<(strtok|atoi|atol|atoll|atof|sscanf)\(' 'hides errors: read through the cursor of base/span.h'
find_code '\<(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|vasprintf)\(' \
	'the xmalloc family of base/alloc.h' '^(proxy/base/alloc|tests/bench/must)\.c:'
find_code '\<(rand|random|srand|srandom|drand48)\(' 'guessable'
find_code '\<(system|popen|sleep|usleep|nanosleep)\(' 'blocks the loop'
find_code '\<(localtime|gmtime|ctime|asctime|inet_ntoa|gethostbyname)\(' 'not for threads'
find_code '\<(memcmp|strcmp|strncmp)\(.*(secret|password|passwd|digest|proof|hmac|credential)' \
	'compare secrets in constant time'
if grep -n '\<memcmp(' proxy/backend/proof.c 2>/dev/null; then
	echo 'proxy/backend/proof.c: compares in constant time only'
	bad=1
fi

# Everything that is in the tree but these checks themselves.
texts()
{
	find proxy include tests etc Makefile Dockerfile README.md .ci -type f \
		-not -path 'tests/lint/*' -not -path '*/corpus/*' -not -name '*.pyc' -print0 2>/dev/null
}
if texts | xargs -0 -r grep -nIwE 'TODO|FIXME|XXX|HACK|not implemented|unimplemented'; then
	echo 'unfinished words'
	bad=1
fi
if texts | xargs -0 -r grep -nIE '(deb|security|ftp\.[a-z]+)\.debian\.org|registry\.npmjs|pypi\.org|pythonhosted|crates\.io|proxy\.golang'; then
	echo 'names of package hosts: the machine knows its own'
	bad=1
fi

[ "$bad" -eq 0 ]
