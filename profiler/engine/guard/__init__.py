"""Does a model come back as it was? What is kept before a run, and put back after it: a file a kind of state."""
