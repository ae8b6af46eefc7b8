"""Which traces are kept, and when is one that was kept still that of its model? A run is kept with all that it read.

`key` is what is known before a run, `watching` what the run reads, `reading` whether that is still the same, `entry` a
file, `folder` where they are. The command alone keeps traces: in a process that lives on, modules may be changed.
"""
