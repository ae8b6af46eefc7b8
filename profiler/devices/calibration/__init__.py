"""How fast is this machine? Measured on a grid of operators, fitted, kept in a file, and what follows for a model."""
