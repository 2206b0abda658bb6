"""Payments of orders: the reference payment service, small and real. Knows an order by its number only."""
