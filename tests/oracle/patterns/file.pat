# A mapped file that nobody else has mapped.
area 128MiB
page file
tick 1ms
phase hold forever
hot 16MiB 16MiB read
hot 64MiB 8MiB write
