"""What do other counters say, and why not the same?"""
