#!/bin/bash
# SPDX-License-Identifier: MIT
# The table of docs/design/006-kinds-of-pages.md is what the tests' rows say: PROGRAM ... With UPDATE_GOLDEN=1 it becomes that.
set -eu
document=$(cd "$(dirname "$0")/../.." && pwd)/docs/design/006-kinds-of-pages.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
	sed '/^|---/q' "$document"
	for program in "$@"; do
		"$program" --table
	done
	sed -n '/^<!-- end -->/,$p' "$document"
} >"$new"
if [ "${UPDATE_GOLDEN:-}" = 1 ]; then
	cat "$new" >"$document"
	exit 0
fi
diff -u "$document" "$new" || {
	echo "FAIL: the document's table is not what the tests say (UPDATE_GOLDEN=1 renews it)"
	exit 1
}
