"""What other counters report, from a trace alone: one file a counter."""
