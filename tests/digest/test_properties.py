"""Whatever a server writes in its challenge and however a user is called: client and server agree, or the challenge is ignored."""

from hypothesis import given
from hypothesis import strategies as st

from ringback.digest import Account, Accounts, Nonces, credentials_of, ha1
from ringback.message.grammar import quote
from tests.digest.party import KEY, NOW, RUN, challenged, protection, request, tokens, verdict

# What a quoted string may hold; NUL and line breaks no header field can.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=20)
names = text.filter(lambda name: ":" not in name)
algorithms = st.sampled_from(["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-512-256-sess"])


@given(
    user=names,
    password=text,
    realm=text.filter(bool),
    algorithm=algorithms,
    qop=st.sampled_from(["auth", "auth-int"]),
    body=st.binary(max_size=40),
)
def test_who_knows_the_password_is_accepted_and_nobody_else(
    user: str, password: str, realm: str, algorithm: str, qop: str, body: bytes
) -> None:
    account = Account(user, password)
    server = protection(
        realm,
        Nonces(KEY, RUN),
        lambda name, where, hashed: ha1(user, where, password, hashed) if name == account.user else None,
        algorithms=[algorithm],
        qop=[qop],
    )
    for holder, is_right in ((account, True), (Account(user, password + "x"), False)):
        client = Accounts([holder], tokens(), ["example.com"])
        sent = request(body=body)
        assert client.answer(sent, challenged(*server.challenges(NOW)))
        assert verdict(server, sent).is_accepted is is_right


@given(challenges=st.lists(st.text(max_size=40) | st.text('Digest realm="m",nonc=l go h2y\\\t', max_size=60), max_size=5))
def test_no_challenge_makes_an_exception(challenges: list[str]) -> None:
    client = Accounts([Account("alice", "secret")], tokens(), ["example.com"])
    sent = request()
    written = [text for text in challenges if not set(text) & set("\r\n\0") and text.isprintable()]
    for status in (401, 407):
        client.answer(sent, challenged(*written, status=status))
    client.prepare(request())


@given(
    params=st.dictionaries(
        st.sampled_from(["realm", "nonce", "opaque", "qop", "algorithm", "stale", "userhash", "charset", "domain"]), text, max_size=9
    )
)
def test_an_answer_always_parses(params: dict[str, str]) -> None:
    client = Accounts([Account("alice", "secret")], tokens(), ["example.com"])
    sent = request()
    if client.answer(sent, challenged("Digest " + ", ".join([f"{name}={quote(value)}" for name, value in params.items()]))):
        [answer] = credentials_of(sent, "Authorization")
        assert answer.realm == params["realm"] and answer.nonce == params["nonce"]
        assert answer.opaque == params.get("opaque")
