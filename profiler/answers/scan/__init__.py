"""What does a model cost at each of several sizes of its input?"""
