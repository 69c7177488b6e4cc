# Locked memory: the kernel does not age it.
area 128MiB
page locked
tick 1ms
phase hold forever
hot 16MiB 16MiB read
