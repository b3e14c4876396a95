#!/bin/bash
# self.sh: the checks find what they look for. Each line below is a small tree with one mistake, and
# the words that the named check must say about it; a tree without a mistake must pass all.
set -u
here=$(realpath "$(dirname "$0")")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
bad=0

fresh()
{
	rm -rf "${tree:?}"/*
	mkdir -p proxy/{base,config,imap,client,backend} include/{base,imap,client,backend} tests etc/man
	printf '\tGROUP("a", "x"),\n\tRANGE("a.b", TIME, "5m",\n' >proxy/config/schema.c
	printf 'a = {\n\tb = "5m"; # x\n};\n' >etc/imapmux.conf
	printf '.Ss a\n.It Cm b No = Qq 5m\n' >etc/man/imapmux.conf.5
	printf '#ifndef IMAPMUX_IMAP_A_H\n#define IMAPMUX_IMAP_A_H\nint a_get(void);\n#endif\n' >include/imap/a.h
	printf '#include "imap/a.h"\n\nint a_get(void)\n{\n\treturn 1; /* gets (strcpy) */\n}\n' >proxy/imap/a.c
}

# expect CHECK WORDS FILE TEXT: the check fails on the tree with TEXT as FILE, and says WORDS
expect()
{
	fresh
	printf '%b' "$4" >"$3"
	if said=$("$here/$1.sh" 2>&1); then
		echo "$1 does not see: $2"
		bad=1
	elif [[ $said != *"$2"* ]]; then
		echo "$1 says, instead of '$2': $said"
		bad=1
	fi
}

expect layers 'imap may not include <uv.h>' proxy/imap/b.c '#include <uv.h>\n'
expect layers 'imap is pure' proxy/imap/b.c '#include <sys/socket.h>\n'
expect layers 'client may not include backend/pool.h' include/client/b.h '# include "backend/pool.h"\n'
expect layers 'backend may not include <openssl/evp.h>' proxy/backend/pool.c '#include <openssl/evp.h>\n'
expect layers 'base may not include imap/a.h' proxy/base/b.c '#include "imap/a.h"\n'
expect layers 'no row' proxy/newfolder.c '#include "imap/a.h"\n'
expect words 'strcpy(a' proxy/imap/b.c 'strcpy(a, b);\n'
expect words 'malloc(3)' include/imap/b.h '/* x */ p = malloc(3);\n'
expect words 'sprintf(a' proxy/imap/b.c '"/*"; sprintf(a, "");\n'
expect words 'unfinished' tests/notes.py '# TO''DO later\n'
expect words 'package hosts' etc/x 'https://deb.''debian.org/\n'
expect sizes 'proxy/imap/b.c: 501 lines' proxy/imap/b.c "$(printf '/**/\\n%.0s' {1..501})"
expect sizes 'long_one has 83 lines' proxy/imap/b.c "void long_one(void)\n{\n$(printf 'x();\\n%.0s' {1..80})}\n"
expect sizes 'braces 5 deep' proxy/imap/b.c 'void f(void)\n{\n{{{\n{ "}";\n}}}}\n}\n'
expect headers 'IMAPMUX_IMAP_B_H' include/imap/b.h '#ifndef B_H\n#endif\n'
expect headers 'no proxy/imap/b.c' include/imap/b.h \
	'#ifndef IMAPMUX_IMAP_B_H\n#define IMAPMUX_IMAP_B_H\nint b_get(void);\n#endif\n'
expect headers 'does not compile alone' include/imap/b.h \
	'#ifndef IMAPMUX_IMAP_B_H\n#define IMAPMUX_IMAP_B_H\nstruct b { size_t n; };\n#endif\n'
expect settings 'a.b: etc/imapmux.conf does not show it' etc/imapmux.conf 'a = {\n\tb = "6m";\n};\n'
expect settings 'a.b: etc/man/imapmux.conf.5 does not show it' etc/man/imapmux.conf.5 '.Ss a\n'
expect settings "shows 'c' in 'a', which is no key" etc/imapmux.conf 'a = {\n\tb = "5m";\n\t#c = 1;\n};\n'
expect settings 'rows that settings.sh cannot read' proxy/config/schema.c '\tGROUP("a", "x"),\n\tODD("a.b", 1),\n'

fresh
for check in layers words sizes headers settings; do
	if ! said=$("$here/$check.sh" 2>&1); then
		echo "$check complains about a tree without a mistake: $said"
		bad=1
	fi
done
[ "$bad" -eq 0 ]
