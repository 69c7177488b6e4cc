/* SPDX-License-Identifier: MIT */
/* This file tests the parsers of procfs text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/fault.h"
#include "kernel/maps.h"
#include "kernel/procfs.h"

static int parse(const char *line, struct vma *vma)
{
	return maps_parse_line(line, strlen(line), vma);
}

static void assert_name(const struct vma *vma, const char *name)
{
	assert_int_equal(vma->name_size, strlen(name));
	assert_memory_equal(vma->name, name, strlen(name));
}

static void line_with_a_file(void **unused)
{
	struct vma vma;

	(void)unused;
	assert_int_equal(
	        parse("7f0000001000-7f0000003000 r-xs 00002000 fe:01 1234567                    /lib/x y.so", &vma), 0);
	assert_int_equal(vma.start, 0x7f0000001000);
	assert_int_equal(vma.end, 0x7f0000003000);
	assert_int_equal(vma.offset, 0x2000);
	assert_int_equal(vma.inode, 1234567);
	assert_int_equal(vma.flags, VMA_READ | VMA_EXEC | VMA_SHARED);
	assert_name(&vma, "/lib/x y.so");
}

static void lines_without_a_file(void **unused)
{
	struct vma vma;

	(void)unused;
	assert_int_equal(parse("00400000-00401000 -w-p 00000000 00:00 0 ", &vma), 0);
	assert_int_equal(vma.flags, VMA_WRITE);
	assert_name(&vma, "");
	assert_int_equal(parse("00400000-00401000 ---p 00000000 00:00 0", &vma), 0);
	assert_int_equal(vma.flags, 0);
	assert_name(&vma, "");
	assert_int_equal(
	        parse("7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]", &vma), 0);
	assert_name(&vma, "[stack]");
	assert_int_equal(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]", &vma), 0);
	assert_int_equal(vma.start, 0xffffffffff600000);
}

static void names_are_kept_as_they_are(void **unused)
{
	char line[9000] = "1000-2000 rw-s 0 00:01 7    /";
	struct vma vma;

	(void)unused;
	assert_int_equal(parse("1000-2000 rw-s 00000000 00:01 7   /memfd:a b (deleted)", &vma), 0);
	assert_name(&vma, "/memfd:a b (deleted)");
	assert_int_equal(parse("1000-2000 rw-s 00000000 00:01 7   /a\\012b ", &vma), 0);
	assert_name(&vma, "/a\\012b ");
	assert_int_equal(parse("1000-2000 rw-p 00000000 00:00 0   [anon:1000-2000 rw-p]", &vma), 0);
	assert_name(&vma, "[anon:1000-2000 rw-p]");
	assert_int_equal(parse("1000-2000 rw-p 00000000 00:00 0   /\xff\x80", &vma), 0);
	memset(line + strlen(line), 'n', 8000);
	assert_int_equal(parse(line, &vma), 0);
	assert_int_equal(vma.name_size, 8001);
}

static void garbage_is_refused(void **unused)
{
	static const char *const lines[] = {
		"",
		"\n",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 rw-p",
		"1000-2000 rw-p 0 00:00",
		"1000-2000 rw-p 0 00:00 ",
		"1000-2000 rw-p 0 0000 1",
		"1000-2000 rwxq 0 00:00 1",
		"1000-2000 wr-p 0 00:00 1",
		"1000-2000  rw-p 0 00:00 1",
		" 1000-2000 rw-p 0 00:00 1",
		"-1000-2000 rw-p 0 00:00 1",
		"0x1000-2000 rw-p 0 00:00 1",
		"1000-2000 rw-p 0 00:00 1x",
		"1000-2000 rw-p 0 00:00 f",
		"1000-2000 rw-p 0 00:00 99999999999999999999",
		"2000-1000 rw-p 0 00:00 0",
		"1000-1000 rw-p 0 00:00 0",
		"1001-2000 rw-p 0 00:00 0",
		"1000-2fff rw-p 0 00:00 0",
		"1000-10000000000000000 rw-p 0 00:00 0",
		"1000-2000 rw-p 10000000000000000 00:00 0",
		"A000-B000 rw-p 0 00:00 0",
	};
	static const char with_zero[] = "1000-2000 rw-p 0 00:00 1 /a\0b";
	struct vma vma;

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse(lines[i], &vma) != -EBADMSG)
			fail_msg("taken for a mapping: '%s'", lines[i]);
	}
	assert_int_equal(maps_parse_line(with_zero, sizeof(with_zero) - 1, &vma), -EBADMSG);
}

struct seen {
	unsigned nr;
	unsigned stop_at;
	uint64_t starts;
	size_t name_bytes;
};

static int see(void *arg, const struct vma *vma)
{
	struct seen *seen = arg;

	seen->nr++;
	seen->starts += vma->start;
	seen->name_bytes += vma->name_size;
	return seen->nr == seen->stop_at ? 7 : 0;
}

static const char text[] = "1000-2000 rw-p 00000000 00:00 0 \n"
                           "2000-4000 r--p 00000000 fe:01 12                           /bin/first\n"
                           "5000-6000 r-xp 00001000 fe:01 12                           /bin/first\n";

static void pieces_of_any_size_give_the_same(void **unused)
{
	size_t size = sizeof(text) - 1;

	(void)unused;
	for (size_t piece = 1; piece <= size; piece++) {
		struct maps_parser parser = { 0 };
		struct seen seen = { 0 };

		for (size_t at = 0; at < size; at += piece) {
			size_t part = size - at < piece ? size - at : piece;

			assert_int_equal(maps_parser_feed(&parser, text + at, part, see, &seen), 0);
		}
		assert_int_equal(maps_parser_end(&parser), 0);
		maps_parser_fini(&parser);
		assert_int_equal(seen.nr, 3);
		assert_int_equal(seen.starts, 0x8000);
		assert_int_equal(seen.name_bytes, 20);
	}
}

static void text_that_breaks_off_is_refused(void **unused)
{
	struct maps_parser parser = { 0 };
	struct seen seen = { 0 };

	(void)unused;
	assert_int_equal(maps_parser_feed(&parser, text, sizeof(text) - 2, see, &seen), 0);
	assert_int_equal(seen.nr, 2);
	assert_int_equal(maps_parser_end(&parser), -EBADMSG);
	maps_parser_fini(&parser);
}

static void the_callback_can_end_it(void **unused)
{
	struct maps_parser parser = { 0 };
	struct seen seen = { .stop_at = 2 };

	(void)unused;
	assert_int_equal(maps_parser_feed(&parser, text, sizeof(text) - 1, see, &seen), 7);
	assert_int_equal(seen.nr, 2);
	maps_parser_fini(&parser);
}

static void an_endless_line_is_refused(void **unused)
{
	struct maps_parser parser = { 0 };
	struct seen seen = { 0 };
	char piece[4096];
	int result = 0;
	unsigned nr = 0;

	(void)unused;
	memset(piece, 'x', sizeof(piece));
	while (result == 0 && nr++ < 1000)
		result = maps_parser_feed(&parser, piece, sizeof(piece), see, &seen);
	assert_int_equal(result, -EBADMSG);
	assert_int_equal(nr, 257);
	maps_parser_fini(&parser);
}

static int parse_stat(const char *line, struct procfs_stat *stat)
{
	return procfs_parse_stat(line, strlen(line), stat);
}

#define STAT_TAIL                                                                                                      \
	" 1 2 2 0 -1 4194560 96 0 0 0 3 4 0 0 20 -5 7 0 424242 10813440 384 18446744073709551615 4096 8192 "           \
	"140720000000000 0\n"

static void stat_names_cannot_forge_fields(void **unused)
{
	struct procfs_stat stat;

	(void)unused;
	assert_int_equal(parse_stat("77 (a) R 1 (b)) S" STAT_TAIL, &stat), 0);
	assert_string_equal(stat.name, "a) R 1 (b)");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.ppid, 1);
	assert_int_equal(stat.start_ticks, 424242);
	assert_int_equal(stat.vsize_bytes, 10813440);
	assert_int_equal(stat.start_code, 4096);
	assert_int_equal(stat.end_code, 8192);
	assert_int_equal(stat.start_stack, 140720000000000);
	assert_false(stat.kthread);
	assert_int_equal(parse_stat("77 () Z" STAT_TAIL, &stat), 0);
	assert_string_equal(stat.name, "");
	assert_int_equal(parse_stat("77 (a\nb\\c\td) Z" STAT_TAIL, &stat), 0);
	assert_string_equal(stat.name, "a?b\\c?d");
	assert_int_equal(parse_stat("77 (kworker/0:1-events_unbound) I" STAT_TAIL, &stat), 0);
	assert_string_equal(stat.name, "kworker/0:1-eve");
}

struct children {
	pid_t pids[3000];
	size_t nr;
	size_t max;
};

static int take_child(void *arg, pid_t pid)
{
	struct children *children = arg;

	children->pids[children->nr++] = pid;
	return children->nr == children->max ? 5 : 0;
}

/* A directory that looks like a process's, as kernels without CONFIG_PROC_CHILDREN have no such file. */
static void children_are_listed_up_to_the_end_of_the_buffer(void **unused)
{
	char path[] = "/tmp/tidemark-procfs.XXXXXX";
	struct children children = { 0 };
	FILE *file;
	int dir;

	(void)unused;
	assert_non_null(mkdtemp(path));
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dir, "task", 0700), 0);
	assert_int_equal(mkdirat(dir, "task/7", 0700), 0);
	assert_int_equal(procfs_each_child(dir, 7, take_child, &children), -ESRCH);
	file = fdopen(openat(dir, "task/7/children", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), "w");
	assert_non_null(file);
	assert_int_equal(procfs_each_child(dir, 7, take_child, &children), 0);
	assert_int_equal(children.nr, 0);
	for (int pid = 100001; pid <= 103000; pid++)
		fprintf(file, "%d ", pid);
	fclose(file);
	assert_int_equal(procfs_each_child(dir, 7, take_child, &children), 0);
	/* 7 bytes each: the one that the end of the buffer cuts in two is none. */
	assert_int_equal(children.nr, 16384 / 7);
	for (size_t i = 0; i < children.nr; i++)
		assert_int_equal(children.pids[i], 100001 + i);
	children = (struct children){ .max = 3 };
	assert_int_equal(procfs_each_child(dir, 7, take_child, &children), 5);
	assert_int_equal(children.nr, 3);
	unlinkat(dir, "task/7/children", 0);
	unlinkat(dir, "task/7", AT_REMOVEDIR);
	unlinkat(dir, "task", AT_REMOVEDIR);
	close(dir);
	rmdir(path);
}

static void stat_of_a_kernel_thread(void **unused)
{
	struct procfs_stat stat;

	(void)unused;
	assert_int_equal(
	        parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0 1 0 0 0 0\n", &stat), 0);
	assert_true(stat.kthread);
	assert_int_equal(stat.vsize_bytes, 0);
}

static void broken_stats_are_refused(void **unused)
{
	static const char *const lines[] = {
		"",
		"77",
		"77 (",
		"77 )(",
		"77 (a)",
		"77 (a) ",
		"77 (a) S",
		"77 (a) S 1 2 2 0 -1 4194560 96",
		"77 (a)S" STAT_TAIL,
		"77 (a) SS" STAT_TAIL,
		"77 a S" STAT_TAIL,
	};
	struct procfs_stat stat;

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse_stat(lines[i], &stat) != -EBADMSG)
			fail_msg("taken for a stat: '%s'", lines[i]);
	}
}

static int parse_status(const char *lines, struct procfs_status *status)
{
	return procfs_parse_status(lines, strlen(lines), status);
}

static void status_with_and_without_kthread(void **unused)
{
	struct procfs_status status;

	(void)unused;
	assert_int_equal(parse_status("Name:\tTgid: 9\nTgid:\t77\nUid:\t1000\t0\t0\t0\nKthread:\t0\n", &status), 0);
	assert_int_equal(status.tgid, 77);
	assert_int_equal(status.uid, 1000);
	assert_int_equal(status.kthread, 0);
	assert_int_equal(parse_status("Name:\tx\nTgid:\t2\nUid:\t0\t0\nKthread:\t1\n", &status), 0);
	assert_int_equal(status.kthread, 1);
	assert_int_equal(parse_status("Name:\tx\nTgid:\t2\nUid:\t0\t0\n", &status), 0);
	assert_int_equal(status.kthread, -1);
	assert_int_equal(parse_status("Name:\tx\nUid:\t0\t0\n", &status), -EBADMSG);
	assert_int_equal(parse_status("", &status), -EBADMSG);
}

static void faults_are_found_by_their_whole_name(void **unused)
{
	(void)unused;
	unsetenv("TIDEMARK_FAULT");
	assert_false(fault_forced("no-bpf"));
	setenv("TIDEMARK_FAULT", "no-bpf-iter,,no-procmap-query", 1);
	assert_false(fault_forced("no-bpf"));
	assert_true(fault_forced("no-bpf-iter"));
	assert_true(fault_forced("no-procmap-query"));
	assert_false(fault_forced("no-procmap"));
	unsetenv("TIDEMARK_FAULT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_with_a_file),
		cmocka_unit_test(lines_without_a_file),
		cmocka_unit_test(names_are_kept_as_they_are),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(pieces_of_any_size_give_the_same),
		cmocka_unit_test(text_that_breaks_off_is_refused),
		cmocka_unit_test(the_callback_can_end_it),
		cmocka_unit_test(an_endless_line_is_refused),
		cmocka_unit_test(stat_names_cannot_forge_fields),
		cmocka_unit_test(children_are_listed_up_to_the_end_of_the_buffer),
		cmocka_unit_test(stat_of_a_kernel_thread),
		cmocka_unit_test(broken_stats_are_refused),
		cmocka_unit_test(status_with_and_without_kthread),
		cmocka_unit_test(faults_are_found_by_their_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
