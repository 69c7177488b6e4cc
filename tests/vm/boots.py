# SPDX-License-Identifier: MIT
"""This module says how a lane is booted and what runs then: few boots, paired so that each value of each option occurs.

The first boot runs everything; the others what their options can change. Emulation is slow, and `make test-vm` is to end
within 15 minutes on two processors."""
import guest

KERNEL = ["target", "exec", "threads", "layout", "exact", "refs", "refs-exact", "walk", "walk-turn", "walker", "watch", "watch-life",
          "watch-kinds", "watch-process", "watch-bounds", "watch-copy", "watch-others", "pins", "pins-list", "watch-pins",
          "kernel:pages", "pages-summary", "watch-shadow", "target-32bit", "hazards", "doctor"]
# What page-table levels, addresses of the kernel, processors, huge pages, swap and limits can change.
SHORT = ["layout", "walk", "walker", "watch", "watch-process", "watch-pins", "pages-summary", "hazards"]
ORACLE = ["lane-record", "lane-wss"]
ROWS = "doctor-rows"

FIRST = guest.Options(mem_mib=1536, cpus=2, levels=5, kaslr=True, thp="madvise")
SECOND = guest.Options(mem_mib=1024, cpus=1, levels=4, kaslr=False, thp="always", swap="zram:512M", limit="600M")
THIRD = guest.Options(mem_mib=1024, cpus=2, levels=4, kaslr=True, thp="never", swap="disk:512M", append="hugepages=16")

BOOTS = [(FIRST, KERNEL + ORACLE), (SECOND, SHORT), (THIRD, SHORT)]
