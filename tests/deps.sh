#!/bin/sh
# deps.sh PACKAGE...: installs the Debian packages that are missing; says nothing when none is.
# No service is started: mail servers that the tests need run in private directories only.
set -eu

if ! command -v dpkg-query >/dev/null; then
	echo "not a Debian system: please install what corresponds to: $*" >&2
	exit 0
fi

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

apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600"
$apt update >/dev/null || echo "apt-get update failed; trying with the package lists as they are" >&2
# shellcheck disable=SC2086 # a list of words is meant
$apt install --no-install-recommends -o Dpkg::Use-Pty=0 $missing </dev/null >/dev/null
