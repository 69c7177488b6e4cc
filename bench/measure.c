/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that runs a recorder and says what it used:
 *
 *     bench-measure RECORD COMMAND [ARGUMENT...]
 *
 * Runs COMMAND, which writes the tidemark record RECORD, and prints lines "NAME VALUE": cpu_s, wall_s, max_rss_kib (of
 * the command), samples, mean_regions, first_sample_ms (from the start of the command to the end of the first sample).
 */
#include <inttypes.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* 0, or the exit code to leave with. */
static int run(char **argv)
{
	uint64_t begin_ns = clock_now(CLOCK_MONOTONIC);
	struct rusage usage;
	int status;
	pid_t pid;
	int rc = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);

	if (rc != 0) {
		fprintf(stderr, "%s: %s\n", argv[0], strerror(rc));
		return 1;
	}
	if (wait4(pid, &status, 0, &usage) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "%s: ended with status %d\n", argv[0], status);
		return 1;
	}
	printf("wall_s %.3f\n", (double)(clock_now(CLOCK_MONOTONIC) - begin_ns) / 1e9);
	printf("cpu_s %.3f\n", seconds(usage.ru_utime) + seconds(usage.ru_stime));
	printf("max_rss_kib %ld\n", usage.ru_maxrss);
	return 0;
}

static int print_facts(const char *path, uint64_t begin_us)
{
	static const char query[] = "SELECT count(*), (SELECT count(*) FROM region), min(end_us), "
	                            "(SELECT value FROM meta WHERE key = 'started_unix_us') FROM sample";
	sqlite3_stmt *row = NULL;
	sqlite3 *db = NULL;
	int rc = 1;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, query, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW) {
		double nr_samples = sqlite3_column_double(row, 0);

		printf("samples %.0f\n", nr_samples);
		printf("mean_regions %.0f\n", nr_samples > 0 ? sqlite3_column_double(row, 1) / nr_samples : 0);
		printf("first_sample_ms %.1f\n",
		       (sqlite3_column_double(row, 3) + sqlite3_column_double(row, 2) - (double)begin_us) / 1e3);
		rc = 0;
	} else {
		fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
	}
	sqlite3_finalize(row);
	sqlite3_close(db);
	return rc;
}

int main(int argc, char **argv)
{
	uint64_t begin_us = clock_now(CLOCK_REALTIME) / 1000;
	int rc;

	if (argc < 3) {
		fprintf(stderr, "usage: bench-measure RECORD COMMAND [ARGUMENT...]\n");
		return 2;
	}
	rc = run(argv + 2);
	return rc == 0 ? print_facts(argv[1], begin_us) : rc;
}
