"""How does an operator on meta tensors come out as it does on a CPU?"""
