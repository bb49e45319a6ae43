"""Kill helr, or its reader, over and over, and count what was lost and what came twice.

`make torture KILLS=1000 SEED=7`. An org that keeps growing is served by the mock, with faults mixed
in; several stories (see stories.py) run side by side, each with a helr, a reader and a state of its
own. Only what a reader read, and did not throw away, counts as delivered.
"""
