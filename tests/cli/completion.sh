#!/bin/bash
# SPDX-License-Identifier: MIT
# The completions complete, and the manual page names every verb and option that help names. $COMPLETION, $MANUAL: the files.
. "$(dirname "$0")/lib.sh"
: >out
: >err

# shellcheck source=/dev/null
. "$COMPLETION"

# completes "WORD..." WANTED: with the cursor at the last word, WANTED is among the replies.
completes() {
	read -ra COMP_WORDS <<<"$1"
	[ "${1: -1}" = ' ' ] && COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_tidemark
	printf '%s\n' "${COMPREPLY[@]}" >out
	check "'$1' completes to '$2'" grep -qx -e "$2" out
}

completes 'tidemark re' record
completes 'tidemark re' report
completes 'tidemark record --sam' --sampling
completes 'tidemark record -' -p
completes 'tidemark record -p ' "$$"
completes 'tidemark report --color a' always
completes 'tidemark report ' info
completes 'tidemark help w' wss
touch some-file.db
completes 'tidemark report info some' some-file.db
completes 'tidemark record -o some' some-file.db
touch some-picture.svg
completes 'tidemark report heatmap some-file.db -o some-p' some-picture.svg
completes 'tidemark wss --output some-p' some-picture.svg

if [ -n "${MANUAL:-}" ]; then
	for verb in $("$TIDEMARK" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		check "the manual has tidemark $verb" grep -q "tidemark $verb" "$MANUAL"
		for option in $("$TIDEMARK" help "$verb" | grep -Eo -- '^ +(-., )?--[a-z0-9]+' | grep -Eo -- '--[a-z0-9]+'); do
			check "the manual has $option" grep -qF -e "$option" -e "${option//-/\\-}" "$MANUAL"
		done
	done
fi
finish
