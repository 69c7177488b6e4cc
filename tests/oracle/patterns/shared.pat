# Memory that two processes have mapped: its accessed bits cannot be cleared for one of them alone, so a monitor must call
# it unobservable, not cold.
area 128MiB
page shared
tick 1ms
phase hold forever
hot 16MiB 16MiB read
hot 64MiB 16MiB write
