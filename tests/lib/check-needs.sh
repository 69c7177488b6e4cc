#!/bin/bash
# SPDX-License-Identifier: MIT
# The library links libbpf, the C library, and nothing else.
needs=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
status=0
for need in $needs; do
	case $need in
	libbpf.so.* | libc.so.* | ld-linux*) ;;
	libasan.so.* | libubsan.so.* | libtsan.so.* | libm.so.*) echo "sanitizer or math library: $need" ;;
	*)
		echo "unexpected: $need"
		status=1
		;;
	esac
done
echo "$needs" | grep -q libbpf || {
	echo "libbpf is missing: is this the right file?"
	status=1
}
exit $status
