"""What do several models cost, side by side?"""
