"""What do counters see of a model, and what do they make of it? What their replicas share."""
