"""What Ringback costs, beside a floor or a peer measured in the same run: read the ratio, not the microseconds."""
