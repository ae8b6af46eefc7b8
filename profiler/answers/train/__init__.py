"""What does a training step cost? The answer is a table of layers, or one row a model, with a step's columns."""
