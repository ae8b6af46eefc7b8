"""Counters that misbehave, each in its own way, and one that does not."""
