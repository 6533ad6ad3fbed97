"""A small app that signs people in with Signet; docs/guides/python.md explains it."""

import functools
import json
import os
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import flask
import grpc
import jwt
from grpc_status_pb2 import Status
from signet.v1 import auth_service_pb2 as auth
from signet.v1 import auth_service_pb2_grpc, site_service_pb2_grpc, user_service_pb2_grpc
from signet.v1 import error_pb2, session_pb2
from signet.v1 import site_service_pb2 as sites
from signet.v1 import user_service_pb2 as users

SIGNET_URL = os.environ.get("SIGNET_URL", "http://127.0.0.1:5678")
SIGNET_KEY = os.environ.get("SIGNET_KEY", "")
AUDIENCE = "shop"

app = flask.Flask(__name__)


def open_channel(url):
    target = urlsplit(url).netloc
    if url.startswith("https:"):
        return grpc.secure_channel(target, grpc.ssl_channel_credentials())
    return grpc.insecure_channel(target)


channel = open_channel(SIGNET_URL)
auth_service = auth_service_pb2_grpc.AuthServiceStub(channel)
site_service = site_service_pb2_grpc.SiteServiceStub(channel)
user_service = user_service_pb2_grpc.UserServiceStub(channel)


def call(method, message):
    return method(message, timeout=10, metadata=[("authorization", f"Bearer {SIGNET_KEY}")])


def reason_of(error):
    """Returns the name of the reason for which Signet has refused a call."""
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for packed in Status.FromString(value).details:
                detail = error_pb2.ErrorDetail()
                # A newer Signet may have reasons that this app has not heard of.
                if packed.Unpack(detail) and detail.reason in error_pb2.ErrorReason.values():
                    return error_pb2.ErrorReason.Name(detail.reason)
    return "ERROR_REASON_UNSPECIFIED"


# What the app makes of a refusal; of all others it can only say that something is wrong.
REFUSALS = {
    "ERROR_REASON_LOGIN_FAILED": (401, "wrong address or password"),
    "ERROR_REASON_EMAIL_UNVERIFIED": (403, "read your mail first"),
    "ERROR_REASON_REFRESH_TOKEN_INVALID": (401, "sign in again"),
    "ERROR_REASON_INVALID_FIELD": (422, "something is missing"),
    "ERROR_REASON_RATE_LIMITED": (429, "try again later"),
    "ERROR_REASON_OVERLOADED": (503, "try again at once"),
}


@app.errorhandler(grpc.RpcError)
def refuse(error):
    away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    other = (503, "try again later") if away else (500, "something went wrong")
    reason = reason_of(error)
    status, text = REFUSALS.get(reason, other)
    if reason not in REFUSALS:  # Such as a wrong key: whoever runs the app has to know.
        app.logger.error("%s: %s (%s)", error.code(), error.details(), reason)
    return {"error": text}, status


def field(name):
    form = flask.request.get_json(silent=True)
    value = form.get(name) if isinstance(form, dict) else None
    return value if isinstance(value, str) else ""


def device():
    request = flask.request
    return session_pb2.Client(
        ip=request.remote_addr,
        user_agent=request.user_agent.string,
        device_token=field("deviceToken"),
    )


@app.post("/sign-in")
def sign_in():
    message = auth.LoginRequest(
        email=field("email"),
        password=field("password"),
        audiences=[AUDIENCE],
        client=device(),
    )
    answer = call(auth_service.Login, message)
    result = answer.WhichOneof("result")
    if result == "mfa_challenge":
        return {"next": "enter a code", "challengeToken": answer.mfa_challenge.challenge_token}
    if result == "mfa_enrollment":
        return {"next": "enrol", "enrollmentToken": answer.mfa_enrollment.enrollment_token}
    if result != "session":
        raise RuntimeError("this app is older than the answer")
    tokens, device_token = answer.session.tokens, answer.session.device_token
    return {"next": "welcome", "deviceToken": device_token, **in_json(tokens)}


def in_json(tokens):
    return {"accessToken": tokens.access_token, "refreshToken": tokens.refresh_token}


@app.post("/refresh")
def refresh():
    message = auth.RefreshTokenRequest(refresh_token=field("refreshToken"), client=device())
    return in_json(call(auth_service.RefreshToken, message).tokens)


@app.post("/sign-out")
def sign_out():
    call(auth_service.Logout, auth.LogoutRequest(refresh_token=field("refreshToken")))
    return {"next": "sign in"}


class SiteKeys:
    """The Site's public keys: fetched at first use, and every 5 minutes.

    For a key that is not known they are fetched once more, but not more often than every 10 s:
    anybody can send tokens with names of keys that there are not.
    """

    def __init__(self, url):
        self._url = url
        self._keys = {}
        self._fetched = self._asked = float("-inf")
        self._lock = threading.Lock()

    def find(self, key_id):
        with self._lock:
            now = time.monotonic()
            wanted = now - self._fetched > 300 or key_id not in self._keys
            if wanted and now - self._asked > 10:
                self._asked = now
                self._fetch(now)
            if now - self._fetched > 3600:
                flask.abort(503, "the public keys of Signet cannot be fetched")
            return self._keys.get(key_id)

    def _fetch(self, now):
        try:
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                keys = jwt.PyJWKSet.from_dict(json.load(answer)).keys
        except (OSError, ValueError, jwt.PyJWTError) as error:
            app.logger.warning("the public keys of Signet cannot be fetched: %s", error)
        else:
            self._keys = {key.key_id: key for key in keys}
            self._fetched = now


@functools.lru_cache(maxsize=None)
def own_site():
    """Asks for the Site once: its issuer may have another address than the one called."""
    site = call(site_service.GetSite, sites.GetSiteRequest()).site
    return site.issuer, SiteKeys(f"{SIGNET_URL}/sites/{site.id}/.well-known/jwks.json")


ALGORITHMS = {"EC": "ES256", "RSA": "RS256"}
CLAIMS = "iss aud sub sid gen roles auth_time amr jti iat exp".split()


def check_token(token):
    """Returns the claims of a good access token (RFC 9068 §4), or raises jwt.PyJWTError."""
    if len(token) > 4096:
        raise jwt.InvalidTokenError("too long")
    issuer, keys = own_site()
    header = jwt.get_unverified_header(token)
    key = keys.find(header.get("kid"))
    if key is None or header.get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token of this Site")
    return jwt.decode(
        token,
        key.key,
        # The key says how it signs, never the token.
        algorithms=[ALGORITHMS[key.key_type]],
        issuer=issuer,
        audience=AUDIENCE,
        leeway=30,
        options={"require": CLAIMS},
    )


def signed_in(*roles):
    """Lets only those in who bring a good access token, and have one of the roles if any."""

    def guard(page):
        @functools.wraps(page)
        def guarded(*args, **kwargs):
            scheme, _, token = flask.request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return challenge(401, "Bearer")
            try:
                flask.g.user = check_token(token.strip())
            except (jwt.PyJWTError, RecursionError):
                return challenge(401, 'Bearer error="invalid_token"')
            if roles and not set(roles) & set(flask.g.user["roles"]):
                return challenge(403, 'Bearer error="insufficient_scope"')
            return page(*args, **kwargs)

        return guarded

    return guard


def challenge(status, header):
    return {"error": "this page is not for you"}, status, {"www-authenticate": header}


@app.get("/me")
@signed_in()
def me():
    return {"userId": flask.g.user["sub"], "roles": flask.g.user["roles"]}


@app.get("/reports")
@signed_in("editor", "admin")
def reports():
    return {"reports": []}


@app.get("/profile")
@signed_in()
def profile():
    user = call(user_service.GetUser, users.GetUserRequest(user_id=flask.g.user["sub"])).user
    return {"email": user.email, "displayName": user.display_name}


@app.post("/pay")
@signed_in()
def pay():
    token = flask.request.headers["authorization"].partition(" ")[2].strip()
    message = auth.ValidateTokenRequest(token=token, audience=AUDIENCE)
    if call(auth_service.ValidateToken, message).WhichOneof("result") != "valid":
        return challenge(401, 'Bearer error="invalid_token"')
    return {"next": "thank you"}


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "3000")))
