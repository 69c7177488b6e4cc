# 64 MiB, for quick tests.
area 64MiB
tick 1ms
phase hold forever
hot 8MiB 4MiB read
hot 40MiB 4MiB write
