"""What are tensors kept in, in a model and in what it takes and returns?"""
