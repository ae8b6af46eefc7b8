"""How long does a model take on this machine? It is run here, and timed."""
