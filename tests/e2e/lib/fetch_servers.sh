#!/bin/sh
# Unpacks Cyrus and Courier into build/servers/, where the end-to-end tests run them from.
#
# The two (and Dovecot) exclude one another in apt: all three provide imap-server. So they are
# never installed: their packages are downloaded with apt-get and unpacked with dpkg -x, together
# with every library they link that a plain Debian 12 may lack. Nothing outside the folder changes.
# Running it again does nothing when the folders are complete.
#
# usage: fetch_servers.sh [DIRECTORY]          default: build/servers at the top of the tree
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dest=${1:-$(cd "$here/../../.." && pwd)/build/servers}

CYRUS="cyrus-imapd cyrus-common libsasl2-2 libsasl2-modules libsasl2-modules-db libdb5.3 libical3
 libxapian30 libicu72 libjansson4 libldap-2.5-0 libnsl2 libtirpc3 libpcre3 libpq5 libsqlite3-0 libwrap0 libxml2 libuuid1 libcom-err2
 libgssapi-krb5-2 libk5crypto3 libkrb5-3 libkrb5support0 libkeyutils1"
COURIER="courier-imap courier-base courier-authlib libcourier-unicode4 libidn12 libgdbm6
 libgnutls30"

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Downloads into the folder's deb/; the package lists of a fresh container may be missing or old.
download() {
	apt-get download -qq "$@" 2>download.log && return
	as_root apt-get update -qq
	apt-get download -qq "$@" 2>download.log || { cat download.log >&2; return 1; }
}

fetch() {
	name=$1 packages=$2
	stamp="$dest/$name/.complete"
	[ -e "$stamp" ] && [ "$(cat "$stamp")" = "$packages" ] && return
	rm -rf "${dest:?}/$name"
	mkdir -p "$dest/$name/deb" "$dest/$name/root"
	# shellcheck disable=SC2086  # the lists are to be split
	(cd "$dest/$name/deb" && download $packages)
	for deb in "$dest/$name"/deb/*.deb; do
		dpkg -x "$deb" "$dest/$name/root"
	done
	rm -rf "${dest:?}/$name/deb"
	printf '%s' "$packages" >"$stamp"
}

mkdir -p "$dest"
# Two test runs that start at once must not unpack into each other's folder.
exec 9>"$dest/.lock"
flock 9
fetch cyrus "$CYRUS"
fetch courier "$COURIER"

fam=$dest/courier/root/usr/lib/libfam.so.0
if [ -z "$(find "$fam" -newer "$here/nofam.c" 2>/dev/null)" ]; then
	# By rename: another test run's server may just be loading it.
	cc -shared -fPIC -o "$fam.new" "$here/nofam.c"
	mv "$fam.new" "$fam"
fi
