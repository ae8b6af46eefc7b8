"""How long does a model take on this machine? It is run here, and timed."""

HERE = ("cpu", "cuda", "mps")  # devices of this machine, by the names that torch has for their kinds
