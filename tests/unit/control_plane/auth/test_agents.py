"""An agent's identity: pinned by a single-use token, proved by its key, never by anything it can copy."""

from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from fairlead_api.errors import BadRequest, Forbidden, TooManyRequests, Unauthorized
from fairlead_control_plane.auth import agents

NOW = 1_700_000_000.0
CLAIMS = agents.AgentClaims("infra", "eu-1", "uid-1", "thumb")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def key() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(private: Any) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(ECAlgorithm.to_jwk(private.public_key()))
    return made


def proof(private: Any, **claims: Any) -> str:
    return jwt.encode({"aud": "here", "iat": NOW, "jti": "1", **claims}, private, algorithm="ES256")


def tokens(clock: Clock) -> agents.AgentTokens:
    private = key()
    return agents.AgentTokens(private, private.public_key(), clock)


def test_token_says_which_target_and_expires() -> None:
    """A token names uid and key, and ends after an hour."""
    clock = Clock()
    mint = tokens(clock)
    token, expires = mint.issue(CLAIMS)
    assert mint.verify(token) == CLAIMS
    assert expires == NOW + agents.TOKEN_LIFETIME_S
    clock.now += agents.TOKEN_LIFETIME_S
    assert mint.verify(token) is None


def test_tokens_of_another_server_are_not_ours() -> None:
    """The signature decides."""
    token, _ = tokens(Clock()).issue(CLAIMS)
    assert tokens(Clock()).verify(token) is None


def test_a_proof_is_used_once() -> None:
    """A proof that was read on the wire cannot be sent again."""
    mint, private = tokens(Clock()), key()
    mint.check_proof(proof(private), jwk(private), "here")
    with pytest.raises(Unauthorized, match="used before"):
        mint.check_proof(proof(private), jwk(private), "here")


def test_one_key_does_not_use_up_what_is_remembered_for_all() -> None:
    """Whoever floods the server with proofs locks out themselves alone, and for two minutes."""
    clock = Clock()
    mint, greedy, other = tokens(clock), key(), key()
    for number in range(128):
        mint.check_proof(proof(greedy, jti=str(number)), jwk(greedy), "here")
    with pytest.raises(TooManyRequests):
        mint.check_proof(proof(greedy, jti="more"), jwk(greedy), "here")
    mint.check_proof(proof(other), jwk(other), "here")
    clock.now += 121
    mint.check_proof(proof(greedy, jti="0", iat=clock.now), jwk(greedy), "here")


@pytest.mark.parametrize("point", [{"x": 1}, {"x": None}, {"y": "!"}, {"y": []}])
def test_a_key_of_wrong_types_is_refused(point: dict[str, Any]) -> None:
    """What anybody can send is never a defect of ours."""
    with pytest.raises(BadRequest):
        agents.public_key({**jwk(key()), **point})


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "elsewhere"},
        {"iat": NOW - 3600},
        {"iat": NOW + 3600},
        {"iat": float("nan")},
        {"iat": "soon"},
        {"iat": []},
        {"iat": 10**400},
    ],
)
def test_a_proof_is_for_here_and_now(claims: dict[str, Any]) -> None:
    """Another address or another time is refused."""
    mint, private = tokens(Clock()), key()
    with pytest.raises(Unauthorized):
        mint.check_proof(proof(private, **claims), jwk(private), "here")


def test_a_proof_needs_the_pinned_key() -> None:
    """A stranger's signature proves nothing."""
    with pytest.raises(Unauthorized):
        tokens(Clock()).check_proof(proof(key()), jwk(key()), "here")


def test_only_public_p256_keys_are_pinned() -> None:
    """A private or foreign key is refused with a reason."""
    private = key()
    with pytest.raises(BadRequest):
        agents.public_key(orjson.loads(ECAlgorithm.to_jwk(private)))
    with pytest.raises(BadRequest):
        agents.public_key({"kty": "RSA"})


def test_bootstrap_token_is_one_of_a_kind() -> None:
    """Right token in time passes; none, another or a late one is refused."""
    token, annotation = agents.new_bootstrap(NOW)
    agents.check_bootstrap(annotation, token, NOW + 1)
    assert token not in annotation
    for wrong, when in ((token + "x", NOW), (token, NOW + agents.BOOTSTRAP_LIFETIME_S)):
        with pytest.raises(Forbidden):
            agents.check_bootstrap(annotation, wrong, when)
    with pytest.raises(Forbidden):
        agents.check_bootstrap(None, token, NOW)
