"""How large may an input be for the peak to fit a memory?"""
