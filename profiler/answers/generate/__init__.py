"""Language models: what reading a prompt and writing each token cost, and the cache in between."""
