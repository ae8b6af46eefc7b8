"""Which models are there by a name?"""
