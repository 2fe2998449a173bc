"""A script of a lab, as the API documentation would have it: standard library and a token."""

from __future__ import annotations

import json
import secrets
import urllib.request
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.stack import Stack

# Makes accounts and prints their tokens.
MAKE_ACCOUNTS = """
import json
from django.contrib.auth.models import User
from counting.services.tokens import create_token
print(json.dumps([create_token(user=User.objects.create_user(name)) for name in {names}]))
"""


@dataclass
class Script:
    """Talks to a running stack as its administrator, in a study of its own."""

    stack: Stack
    token: str
    study: int = 0

    @classmethod
    def sign_in(cls, stack: Stack) -> Script:
        """Take the administrator's token and make a study."""
        script = cls(stack, stack.token)
        script.study = script.post("/api/v1/studies/", {"name": "Script"})["id"]
        return script

    def colleagues(self, *names: str) -> list[Script]:
        """Make accounts, take them into the study as readers, and return their scripts."""
        made = self.stack.manage("shell", "-c", MAKE_ACCOUNTS.format(names=names))
        self.enroll(*names)
        tokens = json.loads(made.splitlines()[-1])
        return [Script(self.stack, token, self.study) for token in tokens]

    def enroll(self, *names: str) -> None:
        """Take accounts into the study as readers."""
        for name in names:
            self.post(f"/api/v1/studies/{self.study}/members/", {"username": name})

    def get(self, address: str) -> dict[str, Any]:
        """Return the JSON at an address."""
        return self._send(urllib.request.Request(self.stack.url + address))

    def post(self, address: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post JSON and return the answer."""
        request = urllib.request.Request(self.stack.url + address, json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        return self._send(request)

    def patch(self, address: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change what is at an address and return the answer."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.stack.url + address, data, method="PATCH")
        request.add_header("Content-Type", "application/json")
        return self._send(request)

    def new_slide(self, code: str) -> int:
        """Make a slide and return its id."""
        return int(self.post("/api/v1/slides/", {"study": self.study, "code": code})["id"])

    def upload(self, slide: int, data: bytes, name: str) -> int:
        """Upload a field and return its id."""
        edge = secrets.token_hex(16)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="slide"\r\n\r\n{slide}\r\n'
        head += f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        head += "Content-Type: application/octet-stream\r\n\r\n"
        body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        request = urllib.request.Request(f"{self.stack.url}/api/v1/fields/", body)
        request.add_header("Content-Type", f"multipart/form-data; boundary={edge}")
        return int(self._send(request)["id"])

    def states(self, slide: int) -> Counter[str]:
        """Return how many fields of a slide are in which state."""
        rows = self.get(f"/api/v1/fields/?slide={slide}")["results"]
        return Counter(row["state"] for row in rows)

    def _send(self, request: urllib.request.Request) -> dict[str, Any]:
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            result: dict[str, Any] = json.load(answer)
            return result
