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
for example in hottest getwritewatch precopy; do
	# Words that must be split: flags.
	# shellcheck disable=SC2046
	cc -Wall -Wextra -Wno-unused-parameter -Werror $(pkg-config --cflags libtidemark) "$source/examples/$example.c" \
		$(pkg-config --libs libtidemark) -o "$root/$example-shared"
	# shellcheck disable=SC2046
	cc $(pkg-config --cflags libtidemark) "$source/examples/$example.c" \
		$(pkg-config --static --libs libtidemark | sed 's/-ltidemark/-l:libtidemark.a/g') -o "$root/$example-static"
	readelf -d "$root/$example-shared" | grep -q 'NEEDED.*libtidemark\.so\.0'
	! readelf -d "$root/$example-static" | grep -q 'NEEDED.*libtidemark'
done

# run EXAMPLE PATTERN ARGUMENT...: says a line of this pattern; or, without privileges or where the kernel lacks what it needs,
# says that.
run() {
	local example=$1 pattern=$2
	shift 2
	for flavour in shared static; do
		if out=$("$root/$example-$flavour" "$@" 2>&1); then
			echo "$flavour: $out"
			grep -q "$pattern" <<<"$out"
		else
			echo "$flavour: $out"
			grep -Eq "^$example: (denied|unsupported): " <<<"$out"
		fi
	done
}

while :; do :; done &
child=$!
run hottest '^0x.* accessed in [0-9]* of [1-9][0-9]* checks' $child
run getwritewatch '^round 5: [1-9][0-9]* references stored, [1-9][0-9]* found on [1-9][0-9]* of 16384 pages'
kill $child
cc "$source/tests/cli/busy.c" -o "$root/busy" # writes 8 MiB without end: no round but the last leaves little
"$root/busy" &
child=$!
sleep 0.5
# On a busy machine it may not have come to write anything in the last round.
run precopy '^stopped: [0-9]* pages; 0 of 8[0-9]* pages differ' $child
kill -0 $child
