"""Is a model within its limits?"""
