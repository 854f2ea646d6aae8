"""What is written: SIP messages, their header fields and URIs (RFC 3261 §7, §19, §20, §25)."""
