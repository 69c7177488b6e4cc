# 1 GiB, of which 10 % is hot, in three pieces of unequal size; one is written.
area 1GiB
page base
tick 1ms
phase hold forever
hot 96MiB 52MiB read
hot 448MiB 32MiB write
hot 800MiB 18MiB read
