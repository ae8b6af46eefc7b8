"""In which process does a model's own code run, and what ends with it?"""
