# 4 MiB in 4 GiB, touched without a pause: the translations never leave the processor's TLB, and the hot part is a
# thousandth of the whole. Both are known to blind monitors.
area 4GiB
tick 0
phase hold forever
hot 2500MiB 4MiB read
