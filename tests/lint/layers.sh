#!/bin/bash
# layers.sh: who may include whom. The table is the architecture: decisions without I/O at the
# bottom, and a client never sees a backend. Nothing but #include lines is looked at.
set -u

# folder: the folders it may include
declare -A inside=(
	[base]=""
	[config]="base"
	[imap]="base"
	[route]="base config"
	[auth]="base config imap"
	[net]="base config"
	[client]="base config imap net"
	[backend]="base config imap net route"
	[session]="base config imap route auth net client backend"
	[worker]="base config imap route auth net client backend session"
	[control]="base config imap route auth net client backend session worker"
	[main]="base config imap route auth net client backend session worker control"
)

# outside header: the places that may include it (a folder or one file)
declare -A outside=(
	[uv]="net worker control main"
	[openssl]="net auth backend/proof.c backend/proof_priv.h"
	[crypt]="auth"
	[gssapi]="auth"
	[libconfig]="config"
	[pcre2]="route"
	[uthash]="base client backend"
	[microhttpd]="control"
	[jansson]="control"
)

# imap/ and route/ decide about bytes and names: no descriptor, clock or thread.
impure='sys/|netinet/|arpa/|netdb|unistd|fcntl|poll|pthread|threads|time\.h|signal'

has_word()
{
	[[ " $1 " == *" $2 "* ]]
}

bad=0
complain()
{
	echo "$1"
	bad=$((bad + 1))
}

check()
{
	local file=$1 line=$2 mark=$3 header=$4
	local place=${file#proxy/}
	place=${place#include/}
	local folder=${place%%/*}
	if [ "$place" = main.c ]; then
		folder=main
	fi
	if [ -z "${inside[$folder]+known}" ]; then
		complain "$file:$line: the folder $folder has no row in layers.sh"
		return
	fi
	if [ "$mark" = '"' ]; then
		if [[ $header != */* ]]; then
			# What only one folder needs lies beside its sources.
			[ -e "$(dirname "$file")/$header" ] || complain "$file:$line: $header does not lie beside it"
			return
		fi
		local target=${header%%/*}
		if [ "$target" != "$folder" ] && ! has_word "${inside[$folder]}" "$target"; then
			complain "$file:$line: $folder may not include $header"
		fi
		return
	fi
	local library=${header%%/*}
	library=${library%.h}
	if [ -n "${outside[$library]+known}" ]; then
		if ! has_word "${outside[$library]}" "$folder" && ! has_word "${outside[$library]}" "$place"; then
			complain "$file:$line: $folder may not include <$header>"
		fi
	fi
	if [[ $folder == imap && $header =~ ^($impure) ]]; then
		complain "$file:$line: $folder is pure and may not include <$header>"
	fi
}

while IFS=: read -r file line text; do
	if [[ $text =~ include[[:space:]]*([\"\<])([^\">]+) ]]; then
		check "$file" "$line" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
	fi
done < <(grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' proxy include)

[ "$bad" -eq 0 ]
