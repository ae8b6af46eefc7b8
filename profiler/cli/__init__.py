"""How does a command line become an answer, a file and an exit status?"""
