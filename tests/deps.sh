#!/bin/sh
# deps.sh PACKAGE...: installs the Debian packages that are missing; says nothing when none is.
# No service is started: mail servers that the tests need run in private directories only.
set -eu

if ! command -v dpkg-query >/dev/null; then
	echo "not a Debian system: please install what corresponds to: $*" >&2
	exit 0
fi

# A parallel make asks twice at once.
mkdir -p build
exec 9>build/.deps.lock
flock 9

missing=
for package in "$@"; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	if [ "$state" != installed ]; then
		missing="$missing $package"
	fi
done
if [ -z "$missing" ]; then
	exit 0
fi

echo "installing:$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "neither root nor sudo: please install:$missing" >&2
		exit 1
	fi
	sudo=sudo
fi

# invoke-rc.d and deb-systemd-invoke ask this file; 101 is "do not start".
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
	$sudo chmod 755 "$policy"
	trap '$sudo rm -f "$policy"' EXIT
	trap 'exit 1' HUP INT TERM
fi

log=build/deps.log
apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600"
if ! $apt update >$log 2>&1; then
	echo "apt-get update failed (see $log); trying with the package lists as they are" >&2
fi
# shellcheck disable=SC2086 # a list of words is meant
if ! $apt install --no-install-recommends $missing </dev/null >>$log 2>&1 9>&-; then
	cat $log >&2
	exit 1
fi
