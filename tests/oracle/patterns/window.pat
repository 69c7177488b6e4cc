# A window of 128 MiB that moves slowly through 1 GiB.
area 1GiB
tick 1ms
phase move forever
hot 64MiB 128MiB read speed=4MiB
