import pytest

from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV, both, direction_of, mirrored, on_hold, receives, sends

ALL = (SENDRECV, SENDONLY, RECVONLY, INACTIVE)


@pytest.mark.parametrize("direction", ALL)
def test_a_direction_is_whether_one_sends_and_whether_one_receives(direction: str):
    assert direction_of(sends(direction), receives(direction)) == direction
    assert (sends(mirrored(direction)), receives(mirrored(direction))) == (receives(direction), sends(direction))


@pytest.mark.parametrize("one", ALL)
@pytest.mark.parametrize("other", ALL)
def test_both_allow_what_each_allows(one: str, other: str):
    assert sends(both(one, other)) is (sends(one) and sends(other))
    assert receives(both(one, other)) is (receives(one) and receives(other))


def test_hold_is_to_receive_no_more():
    assert [on_hold(direction) for direction in ALL] == [SENDONLY, SENDONLY, INACTIVE, INACTIVE]
