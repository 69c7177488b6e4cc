# A hot eighth of 512 MiB that jumps to the next eighth every five seconds.
area 512MiB
tick 1ms
repeat
stairs 8 5s read
