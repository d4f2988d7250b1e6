#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where this machine's apt finds Debian, for suites other than its own.
# Sourced after lib.sh. The mirror is always the one apt was configured with.

# Lines "URI codename" of the Debian sources that apt knows.
apt_sources() {
	# shellcheck disable=SC2016 # a template of apt's
	apt-get indextargets --format '$(REPO_URI) $(CODENAME)' \
		'Created-By: Packages' 'Origin: Debian' 'Component: main' | sort -u
}

# The first URI whose codename matches the extended regex of $1.
apt_uri() {
	apt_sources | awk -v re="$1" '$2 ~ re { sub("/$", "", $1); print $1; exit }'
}

has_dist() {
	/usr/lib/apt/apt-helper download-file "$1/dists/$2/InRelease" \
		"$3/InRelease" >/dev/null 2>&1
}

debian_keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		[ ! -r "$file" ] || { echo "$file"; return; }
	done
	die "cannot verify packages: no Debian keyring (install debian-archive-keyring)"
}

# The sources.list of SUITE on stdout: the suite, and its updates and security
# fixes where the mirror has them (sid has neither). DIR is for scratch files.
sources_list() {
	local suite=$1 dir=$2 main security keyring options
	[ -n "$(apt_sources)" ] || apt-get update -q >&2
	main=$(apt_uri '^[a-z]+$')
	security=$(apt_uri '-security$')
	keyring=$(debian_keyring)
	# A mirror may be frozen at some day: sid's lists expire in a week. What
	# is verified stays verified, and the roots are for machines with no
	# network.
	options="[signed-by=$keyring check-valid-until=no]"
	[ -n "$main" ] ||
		die "cannot make a root of $suite: apt knows no Debian mirror (see apt-get indextargets)"
	echo "deb $options $main $suite main"
	! has_dist "$main" "$suite-updates" "$dir" ||
		echo "deb $options $main $suite-updates main"
	[ -n "$security" ] || return 0
	! has_dist "$security" "$suite-security" "$dir" ||
		echo "deb $options $security $suite-security main"
}
