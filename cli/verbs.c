/* SPDX-License-Identifier: MIT */
/* This file holds the table of verbs. */
#include "verbs.h"

#include <string.h>

#include <tidemark/pages.h>

#define ONE_SHOT_GROUPS                                                                                                \
	{                                                                                                              \
		&option_group_pids, &option_group_one_shot, &option_group_report, &option_group_monitor,               \
		        &option_group_quiet                                                                            \
	}

#define CHILDREN_DETAILS                                                                                               \
	"With --children, the processes that these start are watched too, and theirs: those that are there at the "    \
	"beginning, and others from the first look that finds them, one look each update interval (-u). What comes "   \
	"and goes between two looks is not seen. At most 64 processes are watched at a time and 1,024 in all; when "   \
	"there were more, that is said. It ends when the last of them has gone. Right after a fork, parent and "       \
	"child share their memory: until one of them writes to a page, both map it, and whether it was accessed "      \
	"cannot be told (unobservable, \"shared\").\n"

#define TUNING_DETAILS                                                                                                 \
	"With --auto-tune, the sampling interval is made longer while fewer accesses are seen than the goal asks "     \
	"for, and shorter while more are; the aggregation interval is always as many times that as -s and -a say "     \
	"(default: 20). When there is a duration, it grows to a tenth of that at most. What cannot be seen counts "    \
	"neither way.\n"

#define MODEL_DETAILS                                                                                                  \
	"With --model, no process is watched and nobody waits: the same engine watches memory that a file describes, " \
	"of any size, while the clock jumps from one check to the next. It says how right the regions were "           \
	"(precision and recall of what is hot, in bytes; hot is what was accessed in at least half of the checks) "    \
	"and what the checks would cost; to try intervals, numbers of regions and --unguided by. The same file, "      \
	"options and --seed have the same verdict everywhere.\n"

#define ONE_SHOT_DETAILS                                                                                               \
	"Watches the processes for a while, keeps nothing, and reports. The process is left as it was found. "         \
	"When it ends before the time is over, what was seen until then is reported, and the exit status is "          \
	"4.\n" CHILDREN_DETAILS TUNING_DETAILS

#define PAGE_CATEGORY(id, bit, name, sentence) name " (" sentence "); "

#define WATCH_DETAILS                                                                                                  \
	"Tracks writes by the kernel's write protection of pages, and reports once per interval (an "                  \
	"epoch) what was written in it, in whole pages. What cannot be told exactly is reported all the "              \
	"same: as over (it may not have been written; the reason is given) or as pinned (a device may "                \
	"have written it). What these privileges cannot see at all is named.\n"                                        \
	"The process is stopped once, for some milliseconds at most. While it is watched, its first write "            \
	"to each page in each epoch takes about a microsecond longer, and huge pages that it writes are "              \
	"split. When watching ends, all this is lifted, and huge pages are put together again as far as "              \
	"the kernel agrees.\n"                                                                                         \
	"With --backend uffd_log the first write to each page in each epoch waits, some ten "                          \
	"microseconds, until it has been listed. Two helper processes do that: writers go on also when "               \
	"tidemark is stopped, hangs or is killed. Only private memory of 64 KiB and more is listed; "                  \
	"stacks, shared memory, files and what KSM merges are tracked by uffd_async. Debuggers "                       \
	"and whoever else writes through /proc/PID/mem get an input/output error (EIO) where the "                     \
	"process has not written yet in that epoch.\n"                                                                 \
	"When another tidemark, of the same user or root's, watches the process already, that one shares what "        \
	"it finds, in its own ranges and by its own means.\n"                                                          \
	"Ends after --count epochs, by an interrupt (Ctrl-C), or when the process exits or executes "                  \
	"another program; then the exit status is 4 if --count was given, else 0.\n"

#define VERIFY_DETAILS                                                                                                 \
	"Performs random operations on memory (mapping, writing, fork, huge pages, pins, write protection and more) "  \
	"in an exact model of the kernel's memory management, and at the same time in processes of its own. After "    \
	"each operation results, the first word of each page, and page tables are compared. Where the kernel may do "  \
	"one thing or another by its own rules, the model follows it, and that is counted. A difference is shrunk to " \
	"the shortest program that shows it, which is printed as C that needs nothing of tidemark.\n"                  \
	"No other process is touched. What this kernel or these privileges lack is named, and not tried. Exit "        \
	"status: 0 when there is no difference, 1 when there is one, 3 when the case needs what is not here.\n"        \
	"The cases:\n"

const struct verb verbs[] = {
	{
	        .name = "heatmap",
	        .summary = "which addresses of a process are used when",
	        .synopsis = "-p PID|NAME[,...]",
	        .details = ONE_SHOT_DETAILS,
	        .groups = ONE_SHOT_GROUPS,
	        .run = verb_one_shot,
	},
	{
	        .name = "wss",
	        .summary = "how much memory a process needs: its working set size",
	        .synopsis = "-p PID|NAME[,...]",
	        .details =
	                ONE_SHOT_DETAILS "With --writes, what counts is memory that was written, not memory that was "
	                                 "accessed.\n",
	        .groups = ONE_SHOT_GROUPS,
	        .run = verb_one_shot,
	},
	{
	        .name = "regions",
	        .summary = "the regions of a process, how hot each is and for how long it has been so",
	        .synopsis = "-p PID|NAME[,...]",
	        .details = ONE_SHOT_DETAILS,
	        .groups = ONE_SHOT_GROUPS,
	        .run = verb_one_shot,
	},
	{
	        .name = "ages",
	        .summary = "how much memory of a process has been idle for how long",
	        .synopsis = "-p PID|NAME[,...]",
	        .details = ONE_SHOT_DETAILS "Looks at every page, as with --exact: the longer it watches, the more it "
	                                    "can tell of memory that is seldom used.\n",
	        .is_exact = true,
	        .groups = ONE_SHOT_GROUPS,
	        .run = verb_one_shot,
	},
	{
	        .name = "record",
	        .summary = "record the memory accesses of processes, or of a command",
	        .synopsis = "-p PID|NAME[,...]\n-- COMMAND [ARGUMENT...]\n--model FILE",
	        .details = "Records until the time is over, the last process has ended, or an interrupt (Ctrl-C) "
	                   "comes. The file is "
	                   "complete after each of these, and readable up to the last second even when the recorder is "
	                   "killed. A file "
	                   "that exists is replaced if it is a record, else refused.\n"
	                   "A command is watched from the moment it runs; its end ends the recording. When the "
	                   "recording ends first, by "
	                   "its duration or by a signal, the command is sent SIGTERM, and SIGKILL five seconds later; "
	                   "processes named "
	                   "by -p are never sent anything.\n"
	                   "A process that executes another program is another target: recording ends there, but "
	                   "with --children it is followed.\n" CHILDREN_DETAILS TUNING_DETAILS MODEL_DETAILS,
	        .takes_command = true,
	        .groups = { &option_group_pids, &option_group_model, &option_group_record, &option_group_monitor,
	                    &option_group_quiet },
	        .run = verb_record,
	},
	{
	        .name = "report",
	        .summary = "show what was recorded",
	        .synopsis = "REPORT FILE",
	        .details = "The reports:\n",
	        .min_args = 2,
	        .max_args = 2,
	        .takes_report = true,
	        .groups = { &option_group_report, &option_group_recorded, &option_group_help },
	        .run = verb_report,
	},
	{
	        .name = "watch",
	        .summary = "which memory of a process is being written, and how fast",
	        .synopsis = "-p PID|NAME",
	        .details = WATCH_DETAILS,
	        .groups = { &option_group_watch, &option_group_quiet },
	        .run = verb_watch,
	},
	{
	        .name = "pages",
	        .summary = "what each page of a process is now",
	        .synopsis = "-p PID|NAME",
	        .details =
	                "Lists runs of pages that are alike, mapping by mapping; without masks, those that are "
	                "present or "
	                "swapped. Nothing in the process changes, and it goes on running: each page is seen at a "
	                "moment "
	                "of its own.\n"
	                "The categories: " TIDE_PAGE_CATEGORIES(
	                        PAGE_CATEGORY) "of memory that no userfaultfd is registered for, every page is written "
	                                       "up to Linux 7.2, and none later. A LIST is names with commas between.\n"
	                                       "A page is listed when it has all of --all-of and, if given, one of "
	                                       "--any-of; with --inverted, "
	                                       "not having a category counts as having it there. So pages that are "
	                                       "not present: --all-of present "
	                                       "--inverted present.\n"
	                                       "With --summary, one row for each mapping and their total. Young "
	                                       "(used since something cleared "
	                                       "the mark), dirty and pinned come from the page tables and need "
	                                       "privileges.\n",
	        .groups = { &option_group_pages, &option_group_quiet },
	        .run = verb_pages,
	},
	{
	        .name = "doctor",
	        .summary = "what this kernel and these privileges can do, and what to do about the rest",
	        .synopsis = "",
	        .details = "Asks the kernel by making things happen and seeing them reported; changes nothing. Exit "
	                   "status: 0 when a sensor works here, 3 when none does.\n",
	        .groups = { &option_group_doctor, &option_group_help },
	        .run = verb_doctor,
	},
	{
	        .name = "verify",
	        .summary = "does this kernel track memory truthfully: it and a model of it, side by side",
	        .synopsis = "",
	        .details = VERIFY_DETAILS,
	        .takes_case = true,
	        .groups = { &option_group_verify, &option_group_quiet },
	        .run = verb_verify,
	},
	{
	        .name = "help",
	        .summary = "how to use tidemark, or one of its verbs",
	        .synopsis = "[VERB]",
	        .details = "",
	        .max_args = 1,
	        .groups = { &option_group_help },
	        .run = verb_help,
	},
	{ 0 },
};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *verb = verbs; verb->name != NULL; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}
