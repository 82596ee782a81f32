"""How well verdicts decide: seeded worlds, the product's engine, beside the figures of the reference.

numpy draws the worlds, `strategies.evidence` alone decides; what the reference measured is in `reference.json`.
"""
