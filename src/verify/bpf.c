/* SPDX-License-Identifier: MIT */
/* This file asks what BPF may do here: a program of two instructions, BTF, and the page-table walker itself. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "kernel/fault.h"
#include "kernel/sys.h"
#include "pages/bases.h"
#include "pages/program.h"
#include "verify/need.h"
#include "verify/place.h"
#include "verify/row.h"
#include "kernel/sysfile.h"

#define LOCKDOWN "/sys/kernel/security/lockdown"
#define LOCKDOWN_REMEDY                                                                                                \
	"lockdown in confidentiality mode forbids the page-table walker: boot without lockdown=confidentiality "       \
	"(integrity does no harm)"
#define RETURNED     42
#define BTF_MAGIC    0xeb9f
#define CONFIDENTIAL "[confidentiality]"

static bool locked_down(void)
{
	char text[128];

	return sysfile_read(LOCKDOWN, text, sizeof(text)) > 0 && strstr(text, CONFIDENTIAL) != NULL;
}

/* What stands between us and `what`, the surest reason first. */
static void remedy(struct doctor_row *row, const char *what, uint64_t set)
{
	if (fault_forced("no-bpf")) {
		row_remedy(row, "BPF is switched off by the environment: unset TIDEMARK_FAULT");
		return;
	}
	if (need_remedy(row, what, set))
		return;
	if (locked_down())
		row_remedy(row, LOCKDOWN_REMEDY);
	else if (place_is_filtered() == 1)
		row_remedy(row, PLACE_SECCOMP_REMEDY);
	else
		row_remedy(row,
		           "%s needs a kernel with CONFIG_BPF_SYSCALL, CONFIG_DEBUG_INFO_BTF and BPF iterators over "
		           "the mappings of one task; Linux 6.1 and later have them",
		           what);
}

/* r0 = RETURNED; exit. The negative errno, or what the kernel says it returned. */
static int run_tiny_program(void)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = RETURNED },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	char packet[64] = { 0 };
	struct bpf_test_run_opts run;
	scope_sys_fd int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "tidemark", "Dual MIT/GPL", code,
	                                    sizeof(code) / sizeof(code[0]), NULL);
	int result;

	if (fd < 0)
		return fd;
	/* Not LIBBPF_OPTS: libbpf refuses options whose padding is not zero, and the macro leaves it to the compiler.
	 */
	memset(&run, 0, sizeof(run));
	run.sz = sizeof(run);
	run.data_in = packet;
	run.data_size_in = sizeof(packet);
	run.repeat = 1;
	result = bpf_prog_test_run_opts(fd, &run);
	return result < 0 ? result : (int)run.retval;
}

static void ask_bpf(struct doctor_row *row)
{
	int result = fault_forced("no-bpf") ? -EOPNOTSUPP : run_tiny_program();

	if (result == RETURNED)
		row_yes(row, "a program was loaded and run");
	else if (result >= 0)
		row_no(row, "a program that returns %d returned %d", RETURNED, result);
	else if (fault_forced("no-bpf"))
		row_no(row, "switched off by TIDEMARK_FAULT=no-bpf");
	else if (result == -ENOSYS)
		row_no(row, "this kernel has no bpf(2)");
	else
		row_errno(row, result, "loading and running a program");
	if (row->answer == DOCTOR_NO)
		remedy(row, "BPF", NEED_BPF);
}

static void ask_btf(struct doctor_row *row)
{
	scope_sys_fd int fd = sys_open("/sys/kernel/btf/vmlinux", O_RDONLY);
	uint16_t magic = 0;
	ssize_t got = fd < 0 ? fd : sys_read(fd, &magic, sizeof(magic));

	if (got == sizeof(magic) && magic == BTF_MAGIC) {
		row_yes(row, "/sys/kernel/btf/vmlinux describes this kernel's types");
		return;
	}
	if (got >= 0 || got == -ENOENT)
		row_no(row, got >= 0 ? "/sys/kernel/btf/vmlinux is not BTF" : "no /sys/kernel/btf/vmlinux");
	else
		row_errno(row, (int)got, "reading /sys/kernel/btf/vmlinux");
	if (row->answer == DOCTOR_NO)
		row_remedy(row, "BTF needs a kernel built with CONFIG_DEBUG_INFO_BTF, and /sys mounted");
}

static void ask_walker(struct doctor_row *row)
{
	struct walker_program program;
	struct tide_error err = { 0 };
	int result = program_load(&program, &err);

	if (result == 0) {
		result = bases_find(&program, &err);
		if (result == 0)
			row_yes(row,
			        "loaded; found our own pages through page tables of %u levels, and their descriptors",
			        program.query->levels);
		program_unload(&program);
	}
	if (result < 0)
		row_error(row, &err);
	if (row->answer == DOCTOR_NO)
		remedy(row, "the page-table walker", NEED_WALKER);
}

static void ask_lockdown(struct doctor_row *row)
{
	char text[128];
	int result = sysfile_read(LOCKDOWN, text, sizeof(text));

	if (result == -ENOENT) {
		row_unknown(row, "no " LOCKDOWN ": built without lockdown, or securityfs is not mounted");
	} else if (result < 0) {
		row_errno(row, result, "reading " LOCKDOWN);
	} else if (strstr(text, CONFIDENTIAL) != NULL) {
		row_yes(row, "confidentiality mode: BPF may not read kernel memory");
		row_remedy(row, LOCKDOWN_REMEDY);
	} else if (strstr(text, "[integrity]") != NULL) {
		row_yes(row, "integrity mode: BPF may still read kernel memory");
	} else {
		row_no(row, "the kernel is not locked down");
	}
}

static void ask_unprivileged(struct doctor_row *row)
{
	char text[32];
	int result = sysfile_read("/proc/sys/kernel/unprivileged_bpf_disabled", text, sizeof(text));

	if (result < 0)
		row_unknown(row, "reading kernel.unprivileged_bpf_disabled: %s", strerror(-result));
	else if (text[0] == '0')
		row_yes(row,
		        "kernel.unprivileged_bpf_disabled = 0; the page-table walker needs privileges all the same");
	else
		row_no(row, "kernel.unprivileged_bpf_disabled = %.1s: BPF is for CAP_BPF only, as it should be", text);
}

const struct doctor_question questions_bpf[] = {
	{ "bpf", ask_bpf },
	{ "btf", ask_btf },
	{ "walker", ask_walker },
	{ "lockdown", ask_lockdown },
	{ "unprivileged-bpf", ask_unprivileged },
	{ 0 },
};
