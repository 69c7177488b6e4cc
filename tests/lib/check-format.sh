#!/bin/bash
# SPDX-License-Identifier: MIT
# Every source is laid out as .clang-format says.
cd "$(dirname "$0")/../.." || exit 1
git rev-parse --git-dir >/dev/null 2>&1 || {
	echo "not a git checkout" >&2
	exit 77
}
git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
