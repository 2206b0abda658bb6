"""The other contenders, written to be as fast as their servers let them be. None of them is part of the product."""
