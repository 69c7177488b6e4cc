/* SPDX-License-Identifier: MIT */
/* One row of the doctor's table: a question, one of three answers, why it is so, and what to do about it. */
#ifndef VERIFY_ROW_H
#define VERIFY_ROW_H

#include <tidemark/error.h>

enum doctor_answer {
	DOCTOR_NO = 0,
	DOCTOR_YES,
	DOCTOR_UNKNOWN, /* could not ask */
};

/* `reason` begins in lower case, `remedy` is one sentence; neither has a full stop. */
struct doctor_row {
	char name[32];
	enum doctor_answer answer;
	char reason[240];
	char remedy[240]; /* empty: nothing needs to be done */
};

/* A question. `ask` fills in everything but the name. */
struct doctor_question {
	const char *name;
	void (*ask)(struct doctor_row *row);
};

/* The questions of each subject, ended by a NULL name. */
extern const struct doctor_question questions_bpf[];
extern const struct doctor_question questions_memory[];
extern const struct doctor_question questions_caps[];
extern const struct doctor_question questions_place[];
extern const struct doctor_question questions_others[];
extern const struct doctor_question questions_ways[];
extern const struct doctor_question questions_tracking[];
extern const struct doctor_question questions_tracked[];
extern const struct doctor_question questions_soft_dirty[];

void row_yes(struct doctor_row *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void row_no(struct doctor_row *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void row_unknown(struct doctor_row *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void row_remedy(struct doctor_row *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A refusal or a lack is a no, everything else could not be asked. The reason is the error's sentence. */
void row_error(struct doctor_row *row, const struct tide_error *err);

/* The same from a system call's negative errno. */
void row_errno(struct doctor_row *row, int code, const char *what);

#endif
