#!/bin/bash
# SPDX-License-Identifier: MIT
# Pictures as files: what they are, what is refused, and that a failure leaves the file that was there and nothing else.
# $MAKE_RECORD: a program that writes a record. Needs no kernel powers; as root it tries full and read-only disks too.
. "$(dirname "$0")/lib.sh"

"$MAKE_RECORD" r.db 100 1 && "$MAKE_RECORD" three.db 20 3 && "$MAKE_RECORD" w.db 100 1 writes || exit 1

# is_png FILE WIDTH HEIGHT: a PNG of this size, whole: every part has its checksum, and the pixels unpack.
is_png() {
	python3 - "$@" <<'END'
import struct, sys, zlib
data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n"
at, pixels, size = 8, b"", None
while at < len(data):
    length, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + length]
    assert struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0] == zlib.crc32(kind + body)
    size = struct.unpack(">II", body[:8]) if kind == b"IHDR" else size
    pixels += body if kind == b"IDAT" else b""
    at += 12 + length
assert kind == b"IEND" and size == (int(sys.argv[2]), int(sys.argv[3])), size
assert len(zlib.decompress(pixels)) >= size[0] * size[1]
END
}

# is_svg FILE WIDTH HEIGHT: well-formed, of this size, with cells or areas in it and with letters drawn by the hundred.
is_svg() {
	python3 - "$@" <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
svg = "{http://www.w3.org/2000/svg}"
assert root.tag == svg + "svg" and root.get("width") == sys.argv[2] + "px" and root.get("height") == sys.argv[3] + "px"
assert len(root.findall(".//" + svg + "use")) > 200
assert len(root.findall(".//" + svg + "path")) > 50
END
}

no_litter() {
	! find . -name '.*.tmp' | grep .
}

# What they are.
for report in heatmap wss; do
	for ending in svg png; do
		run "$TIDEMARK" report "$report" r.db -o "$report.$ending"
		expect "report $report -o x.$ending" 0 ''
		check "says nothing" test ! -s out -a ! -s err
		check "is a picture of the usual size" is_$ending "$report.$ending" 1200 800
		run "$TIDEMARK" report "$report" --size 640x480 --last 5 r.db -o "small.$ending"
		check "of the size asked for" is_$ending "small.$ending" 640 480
		run "$TIDEMARK" report "$report" r.db -o "again.$ending"
		check "the same record, the same picture" cmp "$report.$ending" "again.$ending"
	done
	run "$TIDEMARK" report "$report" three.db -o three.PNG
	check "three processes have a panel each" is_png three.PNG 1200 1440
done
check 'pictures of different reports differ' sh -c '! cmp -s heatmap.png wss.png'

# Writes beside accesses.
for report in heatmap wss; do
	run "$TIDEMARK" report "$report" w.db --writes -o "w-$report.png"
	expect "report $report --writes -o x.png" 0 ''
	check "is a picture of the usual size" is_png "w-$report.png" 1200 800
	run "$TIDEMARK" report "$report" r.db -o "same.png" --writes
	expect "of a record without writes it is refused" 2 'the record has no writes: make one with "tidemark record --writes"'
	check "and no file made" test ! -e same.png
done
run "$TIDEMARK" report wss w.db -o accesses.png
check "a working set of writes is drawn differently" sh -c '! cmp -s accesses.png w-wss.png'
run "$TIDEMARK" report wss w.db --writes
check "and told differently" grep -q ' wrote to [0-9.]* MiB of ' out
run "$TIDEMARK" report wss r.db --writes --json
check 'what is refused prints no JSON' test ! -s out
expect 'report wss --writes --json of a record without writes' 2 'the record has no writes'

# What is refused, before anything is read.
refused 2 "x.gif has no ending that says what to draw: there are .svg and .png" report heatmap no.db -o x.gif
refused 2 "x has no ending" report heatmap no.db -o x
refused 2 "png has no ending" report wss no.db --output png
refused 2 "there is no picture of regions, only of wss and heatmap: leave -o out" report regions no.db -o x.png
refused 2 "there is no picture of info" report info no.db -o x.png
refused 2 "there is no picture of regions" regions -p 2147483647 -o x.png
refused 2 "x.gif has no ending" wss -p 2147483647 -o x.gif
refused 2 "-o draws a picture and --json prints text" report wss no.db --json -o x.png
refused 2 "--width counts columns of text" report heatmap no.db --width 100 -o x.png
refused 2 "--size is of a picture: name a file for it with -o, ending in .svg or .png" report wss no.db --size 640x480
refused 2 "--size: 'x' is not WIDTHxHEIGHT: write pixels like 1200x800" report wss no.db -o x.png --size x
refused 2 "--size: '640' is not WIDTHxHEIGHT" report wss no.db -o x.png --size 640
refused 2 "--size: '10' is not a width in pixels: at least 480" report wss no.db -o x.png --size 10x400
refused 2 "--size: '99999' is not a height in pixels: at most 8192" report wss no.db -o x.png --size 500x99999
refused 2 '3 processes do not fit into a picture 400 pixels high' report heatmap three.db -o x.png --size 500x400
refused 1 'cannot write nowhere/x.png: No such file or directory' report heatmap no.db -o nowhere/x.png
refused 1 'cannot write nowhere/x.png: No such file or directory' heatmap -p 2147483647 -o nowhere/x.png
mkdir directory.png
refused 2 'directory.png is not a regular file: name another with -o' report heatmap no.db -o directory.png
refused 1 'no.db' report heatmap no.db -o x.png
check 'none of them left a file' test ! -e x.png

# What is replaced.
echo old >kept.png
chmod 640 kept.png
run sh -c 'ulimit -f 2; exec "$0" report heatmap r.db -o kept.png' "$TIDEMARK"
expect 'a file that outgrows its limit is told' 1 'cannot write kept.png: File too large'
check 'the old file is as it was' grep -qx old kept.png
check 'nothing lies beside it' no_litter
ln kept.png other-name
run "$TIDEMARK" report heatmap r.db -o kept.png
check 'an existing file is replaced' is_png kept.png 1200 800
check 'by another file' grep -qx old other-name
check 'which may be read by the same people' test "$(stat -c %a kept.png)" = 640
long=$(printf 'n%.0s' $(seq 251)).png
run "$TIDEMARK" report wss r.db -o "$long"
expect 'a name as long as names can be' 0 ''
check 'is a picture' is_png "$long" 1200 800

# Places that fail.
if [ "$(id -u)" = 0 ]; then
	run unshare -m sh -c 'mkdir full && mount -t tmpfs -o size=16k none full && echo old >full/x.png &&
		"$0" report heatmap r.db -o full/x.png; code=$?; cat full/x.png; ls -A full; exit $code' "$TIDEMARK"
	expect 'a full disk is told' 1 'cannot write full/x.png: No space left on device'
	check 'the old file is as it was, and alone' test "$(cat out)" = "old
x.png"
	run unshare -m sh -c 'mkdir ro && mount -t tmpfs -o ro none ro && exec "$0" report heatmap r.db -o ro/x.png' "$TIDEMARK"
	expect 'a read-only disk is told' 1 'cannot write ro/x.png: Read-only file system'
	install -m 755 "$TIDEMARK" copy
	chmod 755 .
	chmod 644 r.db
	mkdir -m 755 theirs
	run setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all ./copy report wss r.db -o theirs/x.png
	expect "somebody else's directory is told" 1 'cannot write theirs/x.png: Permission denied'
	check 'and stays empty' test -z "$(ls -A theirs)"
fi

# Without any font cairo has letters of its own.
cat >nofonts.conf <<END
<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>
END
run env FONTCONFIG_FILE="$PWD/nofonts.conf" "$TIDEMARK" report heatmap r.db -o nofonts.svg
expect 'a machine without fonts' 0 ''
check 'still has pictures with words' is_svg nofonts.svg 1200 800
check 'nothing was left behind' no_litter
finish
