# SPDX-License-Identifier: MIT
"""This module says how lanes are booted and what runs then: few boots, paired so that each value of each option occurs.

The first boot runs every test of the running kernel, the second and third what their options can change, the fourth what needs
settings of a whole machine: every kind of memory, and the torture; the fifth compares the model with the kernel, with swap and
two memory nodes. Emulation is slow: what is added here is added four times."""
import os

import guest

KERNEL = ["target", "exec", "threads", "layout", "refs", "refs-exact", "refs-others", "rwp", "rwp-exact", "writes-sensor",
          "soft-dirty", "soft-dirty-still", "walk", "walk-turn", "walker", "watch", "watch-life", "watch-kinds", "watch-process", "watch-bounds",
          "watch-copy", "watch-others", "watch-list", "watch-stall", "watch-list-life", "watch-shared", "watch-merged", "watch-mprotect", "pins", "pins-list", "watch-pins", "kernel:pages", "pages-summary", "watch-shadow",
          "target-32bit", "hazards", "doctor"]
ORACLE = ["lane-record", "lane-wss"]
# What page-table levels, addresses of the kernel, processors, huge pages, swap and limits can change.
SHORT = ["layout", "walk", "walker", "watch", "watch-process", "watch-pins", "pages-summary", "hazards"]
KINDS = ["kinds", "kinds-huge", "kinds-away", "kinds-special", "kinds-moving"]
# All families at once, and those of which kernels differ.
TORTURE = ["torture-controls", "lane-torture", "B4_device_writes_are_not_lost", "B5_another_tracker_by_soft_dirty_loses_nothing"]
# A kernel's DAMON that watches the machine from the start leaves none to us, and clears the bits of pages of which it is
# to be said that nobody can: where that matters, it is switched off.
DAMON = ["exact", "way-damon", "way-damon-claim"]
LOCKSTEP = ["lockstep-lane", "D1_fork_of_hugetlb_pages_as_the_kernel_does", "D3_a_pinned_hugetlb_page_stays_its_owners"]
# A watch by soft-dirty bits that is killed at any call: threads stand still meanwhile, and here only are such bits.
KILLED = ["harm-watch-killed-soft"]
ROWS = "doctor-rows"

FIRST = guest.Options(mem_mib=1536, cpus=2, levels=5, kaslr=True, thp="madvise")
SECOND = guest.Options(mem_mib=1024, cpus=1, levels=4, kaslr=False, thp="never", swap="zram:512M", limit="600M")
THIRD = guest.Options(mem_mib=1024, cpus=2, levels=4, kaslr=True, thp="always", swap="disk:512M", append="hugepages=16 damon_stat.enabled=N")
FOURTH = guest.Options(mem_mib=6144, cpus=2, nodes=2, levels=5, kaslr=True, thp="madvise", swap="disk:128M",
                       append="hugepagesz=1G hugepages=1 hugepagesz=2M hugepages=12 damon_stat.enabled=N",
                       setup=os.path.join(guest.HERE, "kinds.setup"))
# Without the fourth's setup: that switches on large folios, which the model has not.
FIFTH = guest.Options(mem_mib=1536, cpus=2, nodes=2, levels=5, kaslr=True, thp="madvise", swap="disk:128M", append="hugepages=96",
                      setup=os.path.join(guest.HERE, "lockstep.setup"))

BOOTS = [(FIRST, KERNEL + ORACLE + KILLED), (SECOND, SHORT), (THIRD, SHORT + DAMON), (FOURTH, KINDS + TORTURE), (FIFTH, LOCKSTEP)]
