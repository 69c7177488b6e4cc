#!/bin/bash
# SPDX-License-Identifier: MIT
# What `meson install` puts down is whole: a program builds against it, shared and static, and runs; so does tidemark.
# Usage: check-install.sh SOURCE BUILD
set -eu
source=$1
build=$2
for tool in meson pkg-config cc; do
	command -v $tool >/dev/null || {
		echo "$tool is not there" >&2
		exit 77
	}
done
root=$(mktemp -d)
child=
trap 'rm -rf "$root"; [ -z "$child" ] || kill "$child"' EXIT

meson install -C "$build" --no-rebuild --quiet --destdir "$root"
pc=$(find "$root" -name libtidemark.pc)
lib=$(dirname "$(find "$root" -name libtidemark.so)")
program=$(find "$root" -path '*/bin/tidemark')
[ -n "$(find "$root" -path '*/bash-completion/completions/tidemark' -size +0)" ]
export PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_PATH=${pc%/*}
export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

"$program" --version
example=$source/examples/hottest.c
# Words that must be split: flags.
# shellcheck disable=SC2046
cc -Wall -Wextra -Wno-unused-parameter -Werror $(pkg-config --cflags libtidemark) "$example" \
	$(pkg-config --libs libtidemark) -o "$root/shared"
# shellcheck disable=SC2046
cc $(pkg-config --cflags libtidemark) "$example" \
	$(pkg-config --static --libs libtidemark | sed 's/-ltidemark/-l:libtidemark.a/g') -o "$root/static"
readelf -d "$root/shared" | grep -q 'NEEDED.*libtidemark\.so\.0'
! readelf -d "$root/static" | grep -q 'NEEDED.*libtidemark'

while :; do :; done &
child=$!
for flavour in shared static; do
	if out=$("$root/$flavour" $child 2>&1); then
		echo "$flavour: $out"
		grep -q '^0x.* accessed in [0-9]* of [1-9][0-9]* checks' <<<"$out"
	else
		# Without privileges, or where the kernel lacks what it needs, it says so.
		echo "$flavour: $out"
		grep -Eq '^hottest: (denied|unsupported): ' <<<"$out"
	fi
done
