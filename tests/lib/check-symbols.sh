#!/bin/bash
# SPDX-License-Identifier: MIT
# The library exports what the public headers declare, all of it and nothing else.
cd "$(dirname "$0")/../.." || exit 1
exported=$(nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort -u)
declared=$(cat include/tidemark/*.h | tr '\n' ' ' | grep -oE 'TIDE_EXPORT[^;]*;' | grep -oE 'tide_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
diff <(echo "$declared") <(echo "$exported") && [ -n "$exported" ] && exit 0
echo "'<' declared but not exported, '>' exported but not declared" >&2
exit 1
