"""How is a layer of a live model replaced for a while, and put back where it was?"""
