/* SPDX-License-Identifier: MIT */
/*
 * This file opens damaged records and makes every report of them: each either works or says why not. An input that
 * begins as an SQLite file is taken as one, one that begins with '[' as the text of a span; any other is a
 * list of damages to a good record, of five bytes each.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "record/pack.h"
#include "report/report.h"
#include "synthetic.h"

const char *const fuzz_seeds[] = {
	"a0102b9304z8899",
	"Qz12~A7b@x-9Kd#fLm2:p0wE;rT5y<Vn6",
	"bQQzzb00aab~~00bAA99",
	"cxY10",
	"[[0,20,7],[96,0,199],288,[4000,1,0,19,4294967295],4010]",
	"[[0],[2],5]",
	NULL,
};

struct world {
	char dir[64];
	char path[96];
	uint8_t *good; /* the bytes of a good record */
	size_t size;
	FILE *nowhere;
};

static struct world world;

static void must(int condition)
{
	if (!condition)
		abort();
}

static void clean_up(void)
{
	unlink(world.path);
	rmdir(world.dir);
	fclose(world.nowhere);
	free(world.good);
}

static void read_good(void)
{
	FILE *file = fopen(world.path, "r");

	must(file != NULL && fseek(file, 0, SEEK_END) == 0);
	world.size = (size_t)ftell(file);
	world.good = malloc(world.size);
	rewind(file);
	must(world.good != NULL && fread(world.good, 1, world.size, file) == world.size);
	fclose(file);
}

static void make_world(void)
{
	struct synthetic *synthetic = synthetic_new(&(struct synthetic_opts){
	        .nr_regions = 40, .nr_targets = 2, .unobservable = true, .growing = true, .exact = true });
	const char *parent = getenv("TMPDIR");
	struct record_writer *writer = NULL;

	snprintf(world.dir, sizeof(world.dir), "%.40s/tidemark-fuzz-XXXXXX", parent != NULL ? parent : "/tmp");
	must(mkdtemp(world.dir) != NULL);
	snprintf(world.path, sizeof(world.path), "%s/t.db", world.dir);
	must(record_create(&writer, world.path, &synthetic_exact_info, NULL) == 0);
	must(synthetic_put(writer, synthetic, 25, NULL) == 0);
	must(record_finish(writer, NULL) == 0);
	synthetic_free(synthetic);
	world.nowhere = fopen("/dev/null", "w");
	must(world.nowhere != NULL);
	read_good();
	atexit(clean_up);
}

/* Applies the damages to `file` of *size bytes. */
static void damage(uint8_t *file, size_t *size, const uint8_t *data, size_t nr)
{
	for (; nr >= 5 && *size > 64; data += 5, nr -= 5) {
		/* Spread: inputs made of text reach the whole file too. */
		size_t at = (size_t)((uint32_t)(data[1] << 8 | data[2]) * 2654435761u) % (*size - 32);

		switch (data[0] % 6) {
		case 0:
			file[at] = data[3];
			break;
		case 1:
			memcpy(file + at, data + 3, 2);
			break;
		case 2: /* what is left of one row over another */
			memmove(file + at, file + (size_t)(data[3] << 8 | data[4]) % (*size - 32), data[4] % 32);
			break;
		case 3: /* one page for another */
			if (*size > 8192)
				memmove(file + at / 4096 * 4096, file + (size_t)data[3] % (*size / 4096) * 4096,
				        *size - at / 4096 * 4096 < 4096 ? *size - at / 4096 * 4096 : 4096);
			break;
		case 4:
			file[at] ^= (uint8_t)(1u << data[3] % 8);
			break;
		default:
			if (data[3] == 0)
				*size = at;
		}
	}
}

static void write_file(const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(world.path, "w");

	must(file != NULL && fwrite(bytes, 1, size, file) == size);
	fclose(file);
}

static void report_all(struct record_reader *reader)
{
	for (const struct report *report = reports; report->name != NULL; report++) {
		for (int i = 0; i < 4; i++) {
			struct report_opts opts = {
				.json = i & 1, .color = i & 2, .width = 40 + 130 * i, .last_us = i & 2 ? 700000 : 0
			};
			struct tide_error err = { 0 };
			int result = report->write(reader, &opts, world.nowhere, &err);

			must(result == 0 || (result < 0 && err.code == result && err.text[0] != 0));
		}
	}
}

/* What is taken for `nr` regions lies in order between the bounds. Returns whether it was. */
static int parse_regions(const char *text, size_t size, uint64_t nr_pages, size_t nr)
{
	struct tide_region regions[8];
	uint64_t floor = 4096;

	if (pack_parse(text, size, 0, floor, floor + nr_pages * 4096, regions, nr) < 0)
		return 0;
	for (size_t i = 0; i < nr; i++) {
		must(regions[i].start >= floor && regions[i].end > regions[i].start);
		floor = regions[i].end;
	}
	must(floor == 4096 + nr_pages * 4096);
	return 1;
}

/* The text of a span: its last number is where it ends. At most one number of regions can be right. */
static void parse_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t nr_pages;
	int nr_taken = 0;

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = 0;
	nr_pages = strrchr(text, ',') != NULL ? strtoull(strrchr(text, ',') + 1, NULL, 10) % (UINT64_C(1) << 50) : 0;
	for (size_t nr = 0; nr <= 8; nr++)
		nr_taken += parse_regions(text, size, nr_pages, nr);
	must(nr_taken <= 1);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_reader *reader = NULL;
	struct tide_error err = { 0 };
	int result;

	if (size > 0 && data[0] == '[') {
		parse_text(data, size);
		return 0;
	}
	if (world.good == NULL)
		make_world();
	if (size >= 16 && memcmp(data, "SQLite format 3", 16) == 0) {
		write_file(data, size);
	} else {
		size_t left = world.size;
		uint8_t *file = malloc(left);

		must(file != NULL);
		memcpy(file, world.good, left);
		damage(file, &left, data, size);
		write_file(file, left);
		free(file);
	}
	result = record_open(&reader, world.path, &err);
	must(result == 0 || (result < 0 && err.code == result && err.text[0] != 0));
	if (result == 0)
		report_all(reader);
	record_close(reader);
	return 0;
}
