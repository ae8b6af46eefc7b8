"""Are there NaN or infinite values in a file of weights?"""
