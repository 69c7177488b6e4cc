/* SPDX-License-Identifier: MIT */
/* This file is a program for tests: it writes a record of processes that do not exist. FILE SAMPLES PROCESSES */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/synthetic.h"

int main(int argc, char **argv)
{
	struct synthetic_opts opts = { .unobservable = true, .growing = true };
	struct record_writer *writer = NULL;
	struct tide_error err = { 0 };
	struct synthetic *synthetic;
	int result;

	if (argc != 4)
		return 2;
	opts.nr_targets = (uint32_t)atoi(argv[3]);
	synthetic = synthetic_new(&opts);
	result = record_create(&writer, argv[1], &synthetic_info, &err);
	if (result == 0)
		result = synthetic_put(writer, synthetic, (size_t)atoi(argv[2]), &err);
	if (result == 0)
		result = record_finish(writer, &err);
	if (result < 0)
		fprintf(stderr, "%s\n", err.text);
	synthetic_free(synthetic);
	return result < 0;
}
