"""Figures that anyone can measure again. Nothing here is part of the product, and no test depends on a figure."""
