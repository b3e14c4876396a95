#!/bin/bash
# settings.sh: every key of the schema stands in the sample configuration and in imapmux.conf(5), in its
# section, with its default; and neither speaks of a key that does not exist.
set -u
schema=proxy/config/schema.c
sample=etc/imapmux.conf
page=etc/man/imapmux.conf.5
bad=0
complain()
{
	echo "$1"
	bad=1
}

# "path|default" of each row; the default of sections and of keys that must be given is "-".
keys()
{
	sed -nE \
		-e 's/^\t(GROUP|LIST)\("([^"]+)".*/\2|-/p' \
		-e 's/^\tBOOL\("([^"]+)", "([^"]*)".*/\1|\2/p' \
		-e 's/^\t(RANGE|TEXT|ONE_OF)\("([^"]+)", [A-Z]+, NULL.*/\2|-/p' \
		-e 's/^\t(RANGE|TEXT|ONE_OF)\("([^"]+)", [A-Z]+, "([^"]*)".*/\2|\3/p' "$schema"
}

# "section|key|value" of each "key = value" of the sample, commented out or not. A top-level
# key has no section; explanations behind # are no settings unless nothing stands between # and key.
in_sample()
{
	awk '
		/^#/ { next }
		/^[a-z_]+ = [({]/ { section = $1; print "|" section "|-" }
		/^[)}];/ { section = "" }
		{
			text = $0
			sub(/^[ \t]*#?,?[ \t]*/, "", text)
			# What is explained behind a setting ends at the first blank-hash-blank.
			sub(/[ \t]# .*/, "", text)
			while (match(text, /[a-z_]+ = /)) {
				key = substr(text, RSTART, RLENGTH - 3)
				text = substr(text, RSTART + RLENGTH)
				value = text
				sub(/;.*/, "", value)
				gsub(/"/, "", value)
				if (key != section) print section "|" key "|" value
			}
		}' "$sample"
}

# The same of the manual page: .Ss section, .It Cm key [No = Qq value]
in_page()
{
	awk '
		/^\.Ss / { section = $2 == "Top" ? "" : $2; if (section !~ /^$|[.]/) print "|" section "|-" }
		/^\.It Cm / {
			value = $0
			if (!sub(/.* No = (Qq ?)?/, "", value)) value = "-"
			print section "|" $3 "|" value
		}' "$page"
}

# has TEXT SECTION KEY DEFAULT: 0 when a line of TEXT is that
has()
{
	local wanted=$4
	if [ "$wanted" = - ]; then
		grep -qE "^$2[|]$3[|]" <<<"$1"
	else
		grep -qFx "$2|$3|$wanted" <<<"$1"
	fi
}

sample_text=$(in_sample)
page_text=$(in_page)
rows=$(keys)
known=$'\n'

while IFS='|' read -r path default; do
	section=${path%.*}
	if [ "$section" = "$path" ]; then
		section=
	fi
	known+="$section|${path##*.}"$'\n'
	# A list of strings is empty by default, which is written differently from an empty string.
	if grep -qE "\"$path\", NAMES" "$schema"; then
		default='-'
	fi
	# Of the keys of a rule some are given and some not: empty is no default to show.
	if [ "$section" = users ] && [ -z "$default" ]; then
		default='-'
	fi
	# The sample shows nested lists within their section.
	has "$sample_text" "${section%%.*}" "${path##*.}" "$default" ||
		complain "$path: $sample does not show it with its default '$default'"
	has "$page_text" "$section" "${path##*.}" "$default" ||
		complain "$path: $page does not show it with its default '$default'"
done <<<"$rows"

while IFS='|' read -r section key _; do
	if [[ $known != *$'\n'"$section|$key"$'\n'* && $known != *$'\n'"$section".*"|$key"$'\n'* ]]; then
		complain "$sample shows '$key' in '$section', which is no key"
	fi
done <<<"$sample_text"
while IFS='|' read -r section key _; do
	if [[ $known != *$'\n'"$section|$key"$'\n'* ]]; then
		complain "$page shows '$key' in '$section', which is no key"
	fi
done <<<"$page_text"

if [ "$(grep -c . <<<"$rows")" -ne "$(grep -cE '^	[A-Z_]+\("' "$schema")" ]; then
	complain "$schema has rows that settings.sh cannot read"
fi
[ "$bad" -eq 0 ]
