"""How is a file read and written so that it can do no harm?"""
