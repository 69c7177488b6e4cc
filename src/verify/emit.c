/* SPDX-License-Identifier: MIT */
/* This file writes a program as C. */
#include "verify/emit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "verify/program.h"

struct emitter {
	FILE *out;
	const struct lockstep *lockstep;
	const struct difference *difference;
	bool many; /* processes: each step has its turn */
	int turn;  /* of the next step */
	unsigned parts;
};

static const struct {
	const char *name;
	int bit; /* of the page's entry, or of PAGEMAP_SCAN's categories */
	bool is_kind;
} flags[] = {
	{ "present", 63, false },     { "swapped", 62, false },         { "of a file", 61, false },
	{ "mapped once", 56, false }, { "armed (uffd-wp)", 57, false }, { "soft-dirty", 55, false },
	{ "huge", 6, true },          { "the zero page", 5, true },
};

/* A flag of the page that differs and can be seen. */
static bool flag_differs(const struct emitter *it, size_t flag)
{
	const struct difference *difference = it->difference;

	return ((difference->model_seen.flags ^ difference->real_seen.flags) & it->lockstep->side->sees) >> flag & 1;
}

static unsigned parts_of_difference(const struct emitter *it)
{
	unsigned parts = 0;

	if (it->difference->what == DIFFERENCE_CONTENTS)
		return EMIT_CONTENTS;
	if (it->difference->what == DIFFERENCE_REPORTED)
		return EMIT_REPORTED;
	for (size_t i = 0; it->difference->what == DIFFERENCE_FLAGS && i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flag_differs(it, i))
			parts |= flags[i].is_kind ? EMIT_KIND : EMIT_FLAG;
	return parts;
}

static void begin_step(struct emitter *it, int process)
{
	if (it->many)
		fprintf(it->out, "\tif (turn_of(%d, %d)) {\n\t", it->turn++, process);
}

static void end_step(const struct emitter *it)
{
	if (it->many)
		fprintf(it->out, "\t\tnext();\n\t}\n");
}

static void emit_fork(struct emitter *it, const struct model_op *op)
{
	fprintf(it->out, "\tif (turn_of(%d, %u)) {\n", it->turn++, op->process);
	fprintf(it->out, "\t\tlong pid = fork_to(%u);\n\n", op->to);
	fprintf(it->out, "\t\tif (pid != 0)\n\t\t\tnext();\n\t}\n");
}

static void emit_exit(struct emitter *it, const struct model_op *op)
{
	fprintf(it->out, "\tif (turn_of(%d, %u)) {\n", it->turn++, op->process);
	if ((it->parts & (EMIT_RING | EMIT_DEVICE)) != 0)
		fprintf(it->out, "\t\tunpin_all();\n");
	fprintf(it->out, "\t\tnext();\n\t\t_exit(0);\n\t}\n");
	begin_step(it, -1);
	fprintf(it->out, "\twait_for_end(%u);\n", op->process);
	end_step(it);
}

static void emit_step(struct emitter *it, const struct model_op *op, const struct lockstep_outcome *outcome)
{
	char text[PROGRAM_TEXT_SIZE];

	program_op_text(text, op);
	fprintf(it->out, "\t/* %s */\n", text);
	if (op->kind == OP_FORK) {
		emit_fork(it, op);
	} else if (op->kind == OP_EXIT) {
		emit_exit(it, op);
	} else {
		begin_step(it, (int)op->process);
		fprintf(it->out, "\texpect(\"%s\", %d, ", text, outcome->code);
		emit_operation(it->out, op, outcome->value);
		fprintf(it->out, ");\n");
		end_step(it);
	}
}

/* What differs in the end, beside results. */
static void emit_difference(struct emitter *it)
{
	const struct difference *difference = it->difference;
	uint32_t page = difference->page;

	if (parts_of_difference(it) == 0)
		return;
	begin_step(it, (int)difference->process);
	if (difference->what == DIFFERENCE_CONTENTS)
		fprintf(it->out, "\texpect_contents(%u, 0x%" PRIx64 ");\n", page, difference->model_seen.value);
	if (difference->what == DIFFERENCE_REPORTED)
		fprintf(it->out, "\texpect_reported(%u, %d);\n", page, model_reported(&difference->model, page));
	for (size_t i = 0, nr = 0; difference->what == DIFFERENCE_FLAGS && i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flag_differs(it, i))
			fprintf(it->out, "%s\texpect_%s(%u, \"%s\", %d, %d);\n", it->many && nr++ > 0 ? "\t" : "",
			        flags[i].is_kind ? "kind" : "flag", page, flags[i].name, flags[i].bit,
			        (int)(difference->model_seen.flags >> i & 1));
	end_step(it);
}

/* After fork: what the parent had of the kernel. */
static void emit_forget(const struct emitter *it)
{
	fprintf(it->out, "\nstatic void forget(void)\n{\n\tdifferences = 0;\n");
	if ((it->parts & EMIT_TRACK) != 0)
		fprintf(it->out, "\tif (uffd >= 0)\n\t\tclose(uffd);\n\tuffd = -1;\n");
	if ((it->parts & (EMIT_RING | EMIT_DEVICE)) != 0)
		fprintf(it->out, "\tforget_rings();\n");
	if ((it->parts & EMIT_DEVICE) != 0)
		fprintf(it->out, "\tchannel[0] = channel[1] = -1;\n");
	fprintf(it->out, "}\n");
}

static void emit_main(const struct emitter *it)
{
	fprintf(it->out, "\nint main(void)\n{\n\tsignal(SIGALRM, too_long);\n\talarm(120);\n");
	if (!it->many) {
		fprintf(it->out, "\tprogram();\n\tprintf(\"%%s\\n\", differences ? \"model and kernel differ\" : "
		                 "\"model and kernel agree\");\n\treturn differences != 0;\n}\n");
		return;
	}
	if ((it->parts & EMIT_FILE) != 0)
		fprintf(it->out, "\tfile();\n");
	fprintf(it->out,
	        "\tshared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);\n"
	        "\tif (shared == MAP_FAILED)\n\t\treturn 2;\n"
	        "\tsetbuf(stdout, NULL);\n"
	        "\tfork_to(0);\n"
	        "\tprogram();\n"
	        "\twhile (me != DIRECTOR && shared->turn != %d)\n\t\tusleep(200);\n"
	        "\tif (me != DIRECTOR)\n\t\t_exit(0);\n"
	        "\twhile (wait(NULL) > 0)\n\t\t;\n"
	        "\tif (shared->turn != %d) {\n\t\tprintf(\"it did not reach its end\\n\");\n\t\treturn 2;\n\t}\n"
	        "\tprintf(\"%%s\\n\", shared->differences ? \"model and kernel differ\" : \"model and kernel "
	        "agree\");\n"
	        "\treturn shared->differences != 0;\n}\n",
	        it->turn, it->turn);
}

static void emit_head(const struct emitter *it, const char *kernel)
{
	char text[DIFFERENCE_TEXT_SIZE];

	fprintf(it->out, "/*\n * Model and kernel (%s) differ after the last of these operations:\n * %s.\n", kernel,
	        difference_text(text, it->difference));
	fprintf(it->out,
	        " * Compile with gcc -Wall; exit status: 0 they agree, 1 they differ, 2 it could not be run.\n */\n");
}

int emit_program(FILE *out, const struct lockstep *lockstep, const struct model_op *ops, size_t nr,
                 const struct difference *difference, const char *kernel)
{
	struct emitter it = { .out = out, .lockstep = lockstep, .difference = difference };

	it.parts = EMIT_BASE | parts_of_difference(&it);
	for (size_t i = 0; i < nr; i++)
		it.parts |= emit_parts_of(&ops[i]);
	it.many = (it.parts & EMIT_PROCESSES) != 0;
	emit_head(&it, kernel);
	emit_parts(out, it.parts);
	if (it.many)
		emit_forget(&it);
	fprintf(out, "\nstatic void program(void)\n{\n");
	for (size_t i = 0; i < nr; i++)
		if (!lockstep->outcomes.items[i].skipped)
			emit_step(&it, &ops[i], &lockstep->outcomes.items[i]);
	emit_difference(&it);
	fprintf(out, "}\n");
	emit_main(&it);
	return ferror(out) ? -EIO : 0;
}
