"""What routers do alike, whoever they belong to: weights that carry a percentage, rules by header, routes of our own.

Pure. Knows no provider: what an object looks like is for the adapters to say.
"""
