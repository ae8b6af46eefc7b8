"""In whose currency is a cost told, and do the other counters agree?"""
