"""When to renew what lasts for a time only: a subscription, a publication (RFC 6665 §4.1.2.2, RFC 3903 §4.3)."""


def renewal_delay(seconds: float, t1: float) -> float:
    """Seconds to wait before what lasts `seconds` is renewed.

    RFC 6665 and RFC 3903 leave it open. A choice: early enough for one renewal to time out (64*T1) and for another to be tried, yet never
    before half of the time is over.
    """
    return max(seconds / 2, seconds - 2 * 64 * t1)
