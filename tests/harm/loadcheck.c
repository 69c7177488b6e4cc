/* SPDX-License-Identifier: MIT */
/*
 * This file is a client that knows what a redis-server must answer:
 *
 *     harm-loadcheck SOCKET
 *
 * It stores known values, reads and overwrites them at random until a server has grown to its size, prints "READY", and
 * goes on, checking every answer, until SIGTERM. Then it reads everything back and prints one line, "ops=N wrong=N".
 * Exit: 0 nothing was wrong, 1 a wrong answer, an error or a lost connection.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/rng.h"

#define NR_KEYS     30000u
#define VALUE_BYTES 2000u
#define BATCH       64u
#define WARMUP      10000u /* batches */

struct request {
	uint32_t key;
	uint32_t version;
	bool write;
};

struct client {
	FILE *in;
	FILE *out;
	struct rng rng;
	uint32_t versions[NR_KEYS];
	struct request batch[BATCH];
	uint64_t nr_ops;
	uint64_t nr_wrong;
};

/* What version `version` of `key` holds: anything, but always the same. */
static void fill_value(uint8_t *value, uint32_t key, uint32_t version)
{
	struct rng rng;

	rng_init(&rng, (uint64_t)key << 32 | version);
	for (size_t at = 0; at < VALUE_BYTES; at += sizeof(uint64_t)) {
		uint64_t word = rng_next(&rng);

		memcpy(value + at, &word, sizeof(word));
	}
}

static void send_request(struct client *client, const struct request *request)
{
	uint8_t value[VALUE_BYTES];
	char key[16];
	int length = snprintf(key, sizeof(key), "key:%u", request->key);

	if (!request->write) {
		fprintf(client->out, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", length, key);
		return;
	}
	fill_value(value, request->key, request->version);
	fprintf(client->out, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%u\r\n", length, key, VALUE_BYTES);
	fwrite(value, 1, VALUE_BYTES, client->out);
	fputs("\r\n", client->out);
}

/* Reads one answer. False when the connection is lost or out of step. */
static bool check_answer(struct client *client, const struct request *request)
{
	uint8_t expected[VALUE_BYTES];
	uint8_t value[VALUE_BYTES + 2];
	char line[256];

	if (!fgets(line, sizeof(line), client->in))
		return false;
	client->nr_ops++;
	if (line[0] == '-' || request->write) {
		if (strcmp(line, "+OK\r\n") != 0) {
			fprintf(stderr, "loadcheck: key:%u: answer %s", request->key, line);
			client->nr_wrong++;
		}
		return true;
	}
	if (line[0] != '$' || strtol(line + 1, NULL, 10) != VALUE_BYTES ||
	    fread(value, 1, sizeof(value), client->in) != sizeof(value)) {
		fprintf(stderr, "loadcheck: key:%u: unexpected answer %s", request->key, line);
		return false;
	}
	fill_value(expected, request->key, request->version);
	if (memcmp(value, expected, VALUE_BYTES) != 0) {
		fprintf(stderr, "loadcheck: key:%u does not hold what was stored\n", request->key);
		client->nr_wrong++;
	}
	return true;
}

static bool run_batch(struct client *client, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		send_request(client, &client->batch[i]);
	if (fflush(client->out) != 0)
		return false;
	for (size_t i = 0; i < nr; i++) {
		if (!check_answer(client, &client->batch[i]))
			return false;
	}
	return true;
}

/* Stores or reads back every key once. */
static bool run_all(struct client *client, bool write)
{
	for (uint32_t key = 0; key < NR_KEYS; key += BATCH) {
		size_t nr = NR_KEYS - key < BATCH ? NR_KEYS - key : BATCH;

		for (uint32_t i = 0; i < nr; i++)
			client->batch[i] = (struct request){ key + i, client->versions[key + i], write };
		if (!run_batch(client, nr))
			return false;
	}
	return true;
}

static bool run_random(struct client *client)
{
	for (size_t i = 0; i < BATCH; i++) {
		uint32_t key = (uint32_t)rng_below(&client->rng, NR_KEYS);
		bool write = rng_below(&client->rng, 2);

		if (write)
			client->versions[key]++;
		client->batch[i] = (struct request){ key, client->versions[key], write };
	}
	return run_batch(client, BATCH);
}

static bool asked_to_end(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGTERM);
}

static bool run(struct client *client)
{
	if (!run_all(client, true))
		return false;
	for (unsigned i = 0; i < WARMUP && !asked_to_end(); i++) {
		if (!run_random(client))
			return false;
	}
	puts("READY");
	fflush(stdout);
	while (!asked_to_end()) {
		if (!run_random(client))
			return false;
	}
	return run_all(client, false);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct client *client = calloc(1, sizeof(*client));
	sigset_t set;
	bool whole;
	int fd;

	if (argc != 2 || !client) {
		fprintf(stderr, "usage: harm-loadcheck SOCKET\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = connect_to(argv[1]);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	client->in = fdopen(fd, "r");
	client->out = fdopen(dup(fd), "w");
	rng_init(&client->rng, 1);
	whole = client->in && client->out && run(client);
	if (!whole)
		fprintf(stderr, "loadcheck: the connection was lost\n");
	printf("ops=%" PRIu64 " wrong=%" PRIu64 "\n", client->nr_ops, client->nr_wrong);
	return whole && client->nr_wrong == 0 ? 0 : 1;
}
