"""Whoever asks has just opened a session: what one request does to it never stands in another's way.

Every second of these people meets the one before, so half of what they say is said to somebody.
"""

import schemathesis
from schemathesis import AuthContext, Case

import requests

REQUEST_S_MAX = 10


@schemathesis.auth(refresh_interval=None)
class Session:
    def get(self, case: Case, context: AuthContext) -> str:
        base_url = case.operation.base_url or context.operation.schema.get_base_url()
        answer = requests.post(f"{base_url.rstrip('/')}/api/session", timeout=REQUEST_S_MAX)
        answer.raise_for_status()
        return answer.json()["token"]

    def set(self, case: Case, data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"
