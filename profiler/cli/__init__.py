"""From a command line to an answer, a file and an exit status."""
