"""What tensorgrad costs, and what other libraries cost beside it: `make bench`, or `python -m benchmarks --help`.

Read in this order: `layers` and `networks` (networks as data), `workloads` (what is measured, as data), `workers/` (the
same work in each library), `protocol` (a worker and its stopwatch), `processes` (one worker at a time), `sections` (who
measures what, when), `results`, `targets` (what tensorgrad is held to), `idle` (whether the machine was ours), `pages`
and `browser` (what drawings of large graphs cost), `tables` and `report`.
"""
