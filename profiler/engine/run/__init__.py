"""How is a model run: prepared, fed, followed, brought back?"""
