"""Does a file of weights match a model?"""
