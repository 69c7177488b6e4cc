# The static hot set on huge pages. The pieces are whole huge pages.
area 1GiB
page thp
tick 1ms
phase hold forever
hot 96MiB 52MiB read
hot 448MiB 32MiB write
hot 800MiB 18MiB read
