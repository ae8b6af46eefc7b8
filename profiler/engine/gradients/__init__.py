"""How much does what a model computes depend on its inputs and weights? Gradients on samples, and trials."""
