"""Tests of sweeps: rows, processes that end, resuming, choosing, clusters."""
