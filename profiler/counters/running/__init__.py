"""What does a counter say of a model? Each is run for real, in a process of its own."""
