"""How large are the weights in other formats?"""
