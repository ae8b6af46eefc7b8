"""Whose number is it that was read?"""
