# Shared memory that one process has mapped twice: like shared.pat.
area 128MiB
page memfd
tick 1ms
phase hold forever
hot 16MiB 16MiB read
hot 64MiB 16MiB write
