/* SPDX-License-Identifier: MIT */
/* This file asks where we run: what a container takes away without saying so. */
#include "verify/place.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify/row.h"
#include "kernel/sysfile.h"

/* Inodes of the first namespaces (PROC_USER_INIT_INO, PROC_PID_INIT_INO): the same since 3.8. */
#define FIRST_USER_NS 0xEFFFFFFDu
#define FIRST_PID_NS  0xEFFFFFFCu

/* 1 in a namespace other than the first, 0 in the first, -errno. */
static int in_other_namespace(const char *path, ino_t first)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	return status.st_ino != first;
}

int place_in_user_namespace(void)
{
	return in_other_namespace("/proc/self/ns/user", FIRST_USER_NS);
}

int place_is_filtered(void)
{
	char text[4096];
	int result = sysfile_read("/proc/thread-self/status", text, sizeof(text));

	return result < 0 ? result : sysfile_number(text, "Seccomp:", 0) != 0;
}

static void ask_user_namespace(struct doctor_row *row)
{
	int other = place_in_user_namespace();

	if (other < 0) {
		row_errno(row, other, "looking at /proc/self/ns/user");
	} else if (!other) {
		row_no(row, "in the system's own: capabilities count in full");
	} else {
		row_yes(row, "capabilities count inside of it only, whatever the rows above say");
		row_remedy(row, PLACE_USER_NAMESPACE_REMEDY);
	}
}

static void ask_pid_namespace(struct doctor_row *row)
{
	int other = in_other_namespace("/proc/self/ns/pid", FIRST_PID_NS);

	if (other < 0) {
		row_errno(row, other, "looking at /proc/self/ns/pid");
	} else if (!other) {
		row_no(row, "in the system's own: every process can be named");
	} else {
		row_yes(row, "only processes of this container can be named, by the numbers they have here");
		row_remedy(row,
		           "processes outside of this container are seen with the host's process IDs only: run on the "
		           "host, or in a container with --pid=host");
	}
}

static void ask_seccomp(struct doctor_row *row)
{
	int filtered = place_is_filtered();

	if (filtered < 0) {
		row_errno(row, filtered, "reading /proc/thread-self/status");
	} else if (!filtered) {
		row_no(row, "no system call is filtered");
	} else {
		row_yes(row, "a filter is in force: it may refuse bpf(2), process_madvise(2) or pidfd_open(2)");
		row_remedy(row, PLACE_SECCOMP_REMEDY);
	}
}

const struct doctor_question questions_place[] = {
	{ "user-namespace", ask_user_namespace },
	{ "pid-namespace", ask_pid_namespace },
	{ "seccomp", ask_seccomp },
	{ 0 },
};

bool place_is_guest(void)
{
	return getenv("TIDEMARK_LANE") != NULL && access("/lane/settings", F_OK) == 0;
}
