# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by tests that change machine-wide settings: a virtual machine with Debian's kernel, a busybox, and the programs of
# the build, emulated by QEMU. Packages are fetched through apt once and kept in GUEST_CACHE.

guest_cache=${GUEST_CACHE:-$build/vm-cache}
guest_modules_wanted="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk"

guest_skip() {
	echo "SKIP: $*"
	exit 77
}

# Fetches and unpacks a package into the cache, once: PACKAGE
guest_package() {
	local file
	[ -e "$guest_cache/$1.unpacked" ] && return 0
	mkdir -p "$guest_cache/root" "$guest_cache/fetch"
	(cd "$guest_cache/fetch" && apt-get download -q "$1" >"$guest_cache/$1.log" 2>&1) || return 1
	file=$(find "$guest_cache/fetch" -name "$1_*.deb" | head -n 1)
	[ -n "$file" ] && dpkg-deb -x "$file" "$guest_cache/root" && rm -f "$file" && touch "$guest_cache/$1.unpacked"
}

# Sets guest_kernel, guest_modules and guest_busybox, or skips with the reason.
guest_fetch() {
	local image
	command -v qemu-system-x86_64 >/dev/null || guest_skip "QEMU is missing (apt-get install qemu-system-x86)"
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || guest_skip "no apt here to fetch a kernel with"
	image=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/ *Depends: \(linux-image-[0-9].*\)/\1/p')
	[ -n "$image" ] || guest_skip "the package lists do not know linux-image-cloud-amd64 (apt-get update)"
	guest_package "$image" || guest_skip "$image could not be fetched: $(tail -n 1 "$guest_cache/$image.log")"
	guest_package busybox-static || guest_skip "busybox-static could not be fetched: $(tail -n 1 "$guest_cache/busybox-static.log")"
	guest_kernel=$guest_cache/root/boot/vmlinuz-${image#linux-image-}
	guest_modules=$guest_cache/root/lib/modules/${image#linux-image-}
	guest_busybox=$guest_cache/root/bin/busybox
	[ -f "$guest_kernel" ] && [ -d "$guest_modules" ] && [ -x "$guest_busybox" ] || guest_skip "the packages are not laid out as expected"
}

# Puts a program and the libraries it needs into a directory that becomes the guest's root: DIR PROGRAM
guest_add_program() {
	local library
	mkdir -p "$1/bin"
	cp "$2" "$1/bin/" || return 1
	ldd "$2" | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$1/$(dirname "$library")"
		cp -nL "$library" "$1/$library"
	done
}

# Makes the initial file system: DIR INIT_SCRIPT OUTPUT
guest_pack() {
	local module
	mkdir -p "$1/bin" "$1/modules" "$1/proc" "$1/sys" "$1/dev" "$1/tmp"
	cp "$guest_busybox" "$1/bin/busybox" && cp "$2" "$1/init" && chmod +x "$1/init" || return 1
	for module in $guest_modules_wanted; do
		find "$guest_modules" -name "$module.ko" -exec cp {} "$1/modules/" \;
	done
	echo "$guest_modules_wanted" >"$1/modules/order"
	(cd "$1" && find . | "$guest_busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$3"
}

# Boots and waits for the end: INITRD MEMORY_MIB DISK TIMEOUT_S LOG. Sets guest_pid while it runs.
guest_boot() {
	nice timeout "$4" qemu-system-x86_64 -accel tcg,thread=single -cpu max -m "$2" -net none -nographic -no-reboot \
		-kernel "$guest_kernel" -initrd "$1" -drive "file=$3,if=virtio,format=raw,cache=unsafe" \
		-append "console=ttyS0 panic=-1 mitigations=off quiet" </dev/null >"$5" 2>&1 &
	guest_pid=$!
	wait "$guest_pid"
	guest_pid=
}
