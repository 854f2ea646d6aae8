"""What is repeated, matched and abandoned: the transactions of RFC 3261 §17, as RFC 6026 and RFC 4320 amend them."""
