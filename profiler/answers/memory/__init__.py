"""What is alive when most memory is in use?"""
