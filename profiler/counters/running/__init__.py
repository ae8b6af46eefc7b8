"""What does another counter say? Each is run for real, in a process of its own."""
