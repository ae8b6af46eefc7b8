"""What follows from a trace? Layers, parameters, memory, training, totals."""
