# SPDX-License-Identifier: MIT
# Short names for what Meson does. `make run` and `make test` need nothing but a Debian 12 or later and the right to install.
BUILD ?= build
SETUP = meson setup
export PATH := $(PATH):/usr/sbin

.PHONY: all deps run test test-vm torture lockstep soak quick asan tsan clang lint bench install clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

deps:
	@tools/install-deps

$(BUILD)/build.ninja: | deps
	@$(SETUP) $(BUILD) >/dev/null

# Watches a real redis-server under load and shows which of its memory is in use.
run: deps all
	@tools/demo $(BUILD)/cli/tidemark

# Everything this machine can check; the last line is "N passed, N failed, N skipped".
test: deps all
	@tools/run-tests $(BUILD)

# The tests on the kernels that people run, and what changes settings of a whole machine: in virtual ones, half an hour on two processors.
# Installs QEMU if it is missing. What came of it, by kernel: tools/kernels.
test-vm: all
	@tools/install-deps vm
	@tools/run-tests $(BUILD) vm

# A process that writes in every way there is, against the write tracker: about four minutes.
torture: deps all
	@TORTURE_SECONDS=$${TORTURE_SECONDS:-80} tools/run-tests $(BUILD) torture

# The kernel and a model of its memory management, side by side: 100,000 operations, and the hard cases.
lockstep: deps all
	@tools/run-tests $(BUILD) lockstep

# The same for hours, each time with other seeds; what it printed belongs into docs/.
SOAK_SECONDS ?= 14400
soak: deps all
	@$(BUILD)/tests/torture/torture-run --mutator $(BUILD)/tests/torture/torture-mutator --seconds $(SOAK_SECONDS) --seed $$(date +%s)

# Unit tests only.
quick: all
	@meson test -C $(BUILD) --suite unit

# Sanitizer flavours, and the other compiler: whole builds of their own.
asan: deps
	@test -f build-asan/build.ninja || $(SETUP) build-asan -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build-asan

tsan: deps
	@test -f build-tsan/build.ninja || $(SETUP) build-tsan -Db_sanitize=thread -Db_lundef=false >/dev/null
	@ninja -C build-tsan

clang: deps
	@test -f build-clang/build.ninja || CC=clang $(SETUP) build-clang >/dev/null
	@ninja -C build-clang

lint: all
	@tools/lint $(BUILD)

# Measures what the documentation claims; takes minutes. Results belong into docs/benchmarks.md.
bench: deps all
	@bench/run $(BUILD)

install: all
	@meson install -C $(BUILD)

clean:
	@rm -rf build build-asan build-tsan build-clang
