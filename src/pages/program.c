/* SPDX-License-Identifier: MIT */
/* This file loads the walker program and runs its queries. */
#include "pages/program.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "kernel/caps.h"
#include "kernel/fault.h"
#include "kernel/sys.h"
#include "walker.skel.h"

static int print_to_log(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[400];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	log_text(TIDE_LOG_DEBUG, "libbpf: %.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

static int load_failed(int code, struct tide_error *err)
{
	if (code == -EPERM || code == -EACCES)
		return error_set(err, TIDE_CAUSE_DENIED, code,
		                 "loading the page-table walker needs CAP_BPF and CAP_PERFMON: run as root");
	/* To ask modules for a function that the kernel lacks (has_cast()), libbpf needs what the walker needs anyway.
	 */
	if (code == -EINVAL && !caps_have(CAPS_SYS_ADMIN))
		return error_set(err, TIDE_CAUSE_DENIED, -EPERM,
		                 "loading the page-table walker needs CAP_SYS_ADMIN on this kernel: run as root");
	if (code == -ENOENT || code == -ESRCH || code == -EINVAL || code == -ENOSYS || code == -EOPNOTSUPP)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, code,
		                 "this kernel cannot run the page-table walker (BPF iterators and BTF are needed): %s",
		                 strerror(-code));
	return error_system(err, code, "loading the page-table walker");
}

/*
 * Does the kernel have this function for BPF programs? Its own type information says so: some megabytes, which are read
 * once, as the answer stays. 1, 0, or -errno.
 */
static int has_cast(void)
{
	static int known = -1;
	int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
	struct btf *kernel;

	if (answer >= 0)
		return answer;
	kernel = btf__load_vmlinux_btf();
	if (kernel == NULL)
		return -errno;
	answer = btf__find_by_name_kind(kernel, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	btf__free(kernel);
	__atomic_store_n(&known, answer, __ATOMIC_RELAXED);
	return answer;
}

static int load(struct walker_bpf *skeleton)
{
	int answer = has_cast();

	if (answer < 0)
		return answer;
	skeleton->rodata->has_cast = answer > 0;
	return walker_bpf__load(skeleton);
}

int program_load(struct walker_program *program, struct tide_error *err)
{
	libbpf_print_fn_t before;
	int result = 0;

	memset(program, 0, sizeof(*program));
	if (fault_forced("no-bpf"))
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "BPF is switched off by TIDEMARK_FAULT=no-bpf: unset it to use the page-table walker");
	/* libbpf would print to stderr; the callback is the process's, so it is ours for this moment only. */
	before = libbpf_set_print(print_to_log);
	program->skeleton = walker_bpf__open();
	if (program->skeleton == NULL)
		result = -errno;
	else
		result = load(program->skeleton);
	libbpf_set_print(before);
	if (result < 0) {
		program_unload(program);
		return load_failed(result, err);
	}
	program->query = &program->skeleton->bss->query;
	program->samples = program->skeleton->bss->samples;
	program->tables = program->skeleton->bss->tables;
	return 0;
}

void program_unload(struct walker_program *program)
{
	bpf_link__destroy(program->link);
	walker_bpf__destroy(program->skeleton);
	memset(program, 0, sizeof(*program));
}

int program_attach(struct walker_program *program, pid_t tid, struct tide_error *err)
{
	union bpf_iter_link_info info;
	struct bpf_iter_attach_opts opts;
	libbpf_print_fn_t before = libbpf_set_print(print_to_log);
	struct bpf_link *link;
	int code;

	/* Padding too: libbpf refuses what it takes for members that it does not know. */
	memset(&info, 0, sizeof(info));
	memset(&opts, 0, sizeof(opts));
	info.task.tid = (__u32)tid;
	opts.sz = sizeof(opts);
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	/* A BPF link is not a descriptor that forks or execs could take along: libbpf opens it close-on-exec. */
	link = bpf_program__attach_iter(program->skeleton->progs.walk_vma, &opts);
	code = -errno;
	libbpf_set_print(before);
	if (link == NULL)
		return code == -EINVAL
		               ? error_set(err, TIDE_CAUSE_UNSUPPORTED, code,
		                           "this kernel's BPF iterator cannot be pointed at one task (Linux 6.1 can)")
		               : error_system(err, code, "attaching the page-table walker to thread %d", tid);
	bpf_link__destroy(program->link);
	program->link = link;
	return 0;
}

int program_run(struct walker_program *program, struct tide_error *err)
{
	char stop;
	ssize_t got;
	scope_sys_fd int fd = sys_bpf_iter_create(bpf_link__fd(program->link));

	if (fd < 0)
		return error_system(err, fd, "starting the page-table walker");
	program->query->status = WALKER_NOTHING;
	program->query->found_mm = 0;
	/* The program answers in shared memory; the byte it writes only ends the read. */
	got = sys_read(fd, &stop, sizeof(stop));
	if (got < 0)
		return error_system(err, (int)got, "running the page-table walker");
	return 0;
}
