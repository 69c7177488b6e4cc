/* SPDX-License-Identifier: MIT */
/* This file tests records whose recorder was killed, or whose disk was full, or whose place is read-only. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "record/writer.h"
#include "synthetic.h"

#define NR_KILLS 20

struct place {
	char dir[64];
	char file[96];
	volatile uint64_t *nr_put; /* shared with children: samples that record_put took */
};

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->dir, "/tmp/tidemark-test-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->file, sizeof(place->file), "%s/t.db", place->dir);
	place->nr_put = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(place->nr_put != MAP_FAILED);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;
	char command[256];

	snprintf(command, sizeof(command), "chmod -R u+w %s; rm -rf %s", place->dir, place->dir);
	assert_int_equal(system(command), 0);
	munmap((void *)place->nr_put, 4096);
	free(place);
	return 0;
}

/* Writes until an error or `nr` samples; the errno of the first error, or 0. Never finishes the record. */
static int write_on(struct place *place, uint64_t nr, struct tide_error *err)
{
	struct synthetic *synthetic = synthetic_new(&(struct synthetic_opts){ .growing = true });
	struct record_writer *writer = NULL;
	int result = record_create(&writer, place->file, &synthetic_info, err);

	while (result == 0 && *place->nr_put < nr) {
		result = synthetic_put(writer, synthetic, 1, err);
		*place->nr_put += result == 0;
	}
	if (result < 0)
		assert_int_equal(record_finish(writer, NULL), writer != NULL ? result : 0);
	synthetic_free(synthetic);
	return -result;
}

/* A child that runs `fn`; its result is its exit status. */
static pid_t spawn(struct place *place, int (*fn)(struct place *place))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn(place));
	return pid;
}

static int run(struct place *place, int (*fn)(struct place *place))
{
	pid_t pid = spawn(place, fn);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int count(void *arg, const struct record_sample *sample)
{
	++*(uint64_t *)arg;
	return 0;
}

/* Opens the record, reads all of it, and returns how many samples it holds. */
static uint64_t read_all(const char *path)
{
	struct record_reader *reader = NULL;
	struct tide_error err = { 0 };
	uint64_t nr = 0;

	if (record_open(&reader, path, &err) < 0 || record_for_each(reader, 0, UINT64_MAX, count, &nr, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return UINT64_MAX;
	}
	if (record_info(reader)->complete != 0 || record_info(reader)->nr_samples != nr)
		nr = UINT64_MAX;
	record_close(reader);
	return nr;
}

static void check_integrity(const char *path)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static int write_for_ever(struct place *place)
{
	return write_on(place, UINT64_MAX, NULL);
}

static void a_killed_recorder_loses_a_second_at_most(void **state)
{
	struct place *place = *state;
	struct rng rng;

	rng_init(&rng, (uint64_t)getpid());
	for (int i = 0; i < NR_KILLS; i++) {
		uint64_t nr_put;
		uint64_t nr_read;
		pid_t pid;

		*place->nr_put = 0;
		pid = spawn(place, write_for_ever);
		while (*place->nr_put == 0)
			usleep(100);
		usleep((useconds_t)rng_below(&rng, 60000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		nr_put = *place->nr_put;
		nr_read = read_all(place->file);
		/* 100 ms each; one more may be stored than the child came to count. */
		if (nr_read > nr_put + 1 || nr_read + 10 < nr_put)
			fail_msg("%llu samples were put, %llu are there", (unsigned long long)nr_put,
			         (unsigned long long)nr_read);
		check_integrity(place->file);
	}
}

static int write_25(struct place *place)
{
	return write_on(place, 25, NULL);
}

/* Root writes everywhere: become somebody who may not. */
static int read_as_nobody(struct place *place)
{
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 100;
	return (int)read_all(place->file);
}

static void an_interrupted_record_in_a_read_only_place_is_read(void **state)
{
	struct place *place = *state;
	char name[128];

	assert_int_equal(run(place, write_25), 0);
	snprintf(name, sizeof(name), "%s-wal", place->file);
	assert_int_equal(access(name, F_OK), 0);
	assert_int_equal(chmod(place->dir, 0555), 0);
	/* With the index that the recorder left, and without. */
	assert_int_equal(run(place, read_as_nobody), 20);
	assert_int_equal(chmod(place->dir, 0755), 0);
	snprintf(name, sizeof(name), "%s-shm", place->file);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(chmod(place->dir, 0555), 0);
	assert_int_equal(run(place, read_as_nobody), 20);
	assert_int_equal(access(name, F_OK), -1);
}

static int record_as_nobody(struct place *place)
{
	struct record_writer *writer;
	struct tide_error err = { 0 };

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 100;
	return record_create(&writer, place->file, &synthetic_info, &err) == -EACCES && err.cause == TIDE_CAUSE_DENIED
	               ? 0
	               : 1;
}

static void a_read_only_directory_is_refused(void **state)
{
	struct place *place = *state;

	assert_int_equal(chmod(place->dir, 0555), 0);
	assert_int_equal(run(place, record_as_nobody), 0);
}

static bool says_disk_full(const struct tide_error *err)
{
	return err->cause == TIDE_CAUSE_LIMIT && strstr(err->text, "the disk is full") != NULL;
}

/* A limit on file sizes comes as EFBIG. */
static int write_to_a_limit(struct place *place)
{
	struct rlimit limit = { 300000, 300000 };
	struct tide_error err = { 0 };
	int result;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 100;
	result = write_on(place, UINT64_MAX, &err);
	return result == ENOSPC && says_disk_full(&err) ? 0 : 1;
}

static void what_was_stored_before_the_limit_is_readable(void **state)
{
	struct place *place = *state;
	uint64_t nr;

	assert_int_equal(run(place, write_to_a_limit), 0);
	nr = read_all(place->file);
	assert_true(nr >= 10 && nr <= *place->nr_put && nr + 20 >= *place->nr_put);
	check_integrity(place->file);
}

static int write_to_a_small_disk(struct place *place)
{
	struct tide_error err = { 0 };
	uint64_t nr;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", place->dir, "tmpfs", 0, "size=1m") < 0)
		return 77;
	if (write_on(place, UINT64_MAX, &err) != ENOSPC || !says_disk_full(&err))
		return 1;
	nr = read_all(place->file);
	return nr >= 10 && nr <= *place->nr_put && nr + 20 >= *place->nr_put ? 0 : 2;
}

static int create_on_a_full_disk(struct place *place)
{
	struct record_writer *writer;
	struct tide_error err = { 0 };
	char command[160];

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", place->dir, "tmpfs", 0, "size=64k") < 0)
		return 77;
	snprintf(command, sizeof(command), "head -c 60000 /dev/zero >%s/fill", place->dir);
	if (system(command) != 0 || record_create(&writer, place->file, &synthetic_info, &err) != -ENOSPC)
		return 1;
	/* And nothing is left behind. */
	snprintf(command, sizeof(command), "test `ls %s | wc -l` = 1", place->dir);
	return says_disk_full(&err) && system(command) == 0 ? 0 : 2;
}

static void a_full_disk_is_said(void **state)
{
	int (*const fns[])(struct place *) = { write_to_a_small_disk, create_on_a_full_disk };
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(fns) / sizeof(fns[0]); i++) {
		int result;

		*place->nr_put = 0;
		result = run(place, fns[i]);
		if (result == 77) {
			print_message("a small disk cannot be mounted without privileges\n");
			skip();
		}
		assert_int_equal(result, 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
	const struct CMUnitTest tests[] = {
		TEST(a_killed_recorder_loses_a_second_at_most),
		TEST(an_interrupted_record_in_a_read_only_place_is_read),
		TEST(a_read_only_directory_is_refused),
		TEST(what_was_stored_before_the_limit_is_readable),
		TEST(a_full_disk_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
