"""Homestays on offer: the reference travel service, small and real. Knows no order and no payment."""
