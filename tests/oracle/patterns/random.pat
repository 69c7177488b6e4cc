# Half of what is used is used by chance: each page with 40 % a tick (hot), and with 2 % a tick (seldom seen: not hot).
area 512MiB
tick 2ms
order random
seed 7
phase hold forever
hot 64MiB 48MiB read
hot 192MiB 32MiB read p=0.4
hot 320MiB 32MiB write p=0.02
