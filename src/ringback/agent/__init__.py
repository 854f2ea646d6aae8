"""A party: the user agent of RFC 3261 §8, §10.2 and §13 to §15 as coroutines."""
