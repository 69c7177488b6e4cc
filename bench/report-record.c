/* SPDX-License-Identifier: MIT */
/*
 * This program times one report of a record: report-record REPORT FILE [TIMES]. It writes the report to nowhere, and to
 * standard output a line for each time: seconds of wall clock, of processor time, and the most memory the program has
 * had in MiB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "report/report.h"

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int report_once(const struct report *report, const char *path, FILE *out, struct tide_error *err)
{
	struct report_opts opts = { .last_us = UINT64_MAX };
	struct record_reader *reader = NULL;
	int result = record_open(&reader, path, err);

	if (result == 0)
		result = report->write(reader, &opts, out, err);
	record_close(reader);
	return result;
}

static int bench(const struct report *report, const char *path, int times)
{
	FILE *out = fopen("/dev/null", "w");
	struct tide_error err = { 0 };
	int result = 0;

	for (int i = 0; i < times && result == 0; i++) {
		struct rusage usage;
		double start = now_s();
		double cpu_start = cpu_s();

		result = report_once(report, path, out, &err);
		getrusage(RUSAGE_SELF, &usage);
		printf("%.3f %.3f %.1f\n", now_s() - start, cpu_s() - cpu_start, (double)usage.ru_maxrss / 1024);
	}
	fclose(out);
	if (result < 0)
		fprintf(stderr, "report-record: %s\n", err.text);
	return result < 0;
}

int main(int argc, char **argv)
{
	for (const struct report *report = reports; argc >= 3 && report->name != NULL; report++) {
		if (strcmp(report->name, argv[1]) == 0)
			return bench(report, argv[2], argc > 3 ? atoi(argv[3]) : 9);
	}
	fprintf(stderr, "usage: report-record REPORT FILE [TIMES]\n");
	return 2;
}
