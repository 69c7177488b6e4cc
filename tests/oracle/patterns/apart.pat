# Three hot sets of one size, that are only read, only written, and both; the rest is cold.
area 256MiB
page base
tick 1ms
phase hold forever
hot 24MiB 16MiB read
hot 104MiB 16MiB write
hot 184MiB 16MiB both
