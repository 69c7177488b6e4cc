/* SPDX-License-Identifier: MIT */
/* This file is the doctor's table without the program around it. */
#include <stdio.h>
#include <string.h>

#include "verify/doctor.h"

int main(int argc, char **argv)
{
	struct tide_error err = { 0 };
	int result = doctor_run(stdout, argc > 1 && strcmp(argv[1], "--json") == 0, false, &err);

	if (result < 0)
		fprintf(stderr, "doctor-table: %s\n", err.text);
	return result < 0 ? 1 : result > 0 ? 0 : 3;
}
