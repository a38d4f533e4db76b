"""A browser: it follows the address of a sign-in, and sends the form it finds there to where that goes."""

from __future__ import annotations

import html
import re
from pathlib import Path

import requests

TIMEOUT_S = 10.0


def browse(url: str, *, ca_file: Path, **changes: str) -> requests.Response:
    """What the last page says; fields of the form as in `changes`."""
    with requests.Session() as session:
        session.trust_env = False
        page = session.get(url, verify=str(ca_file), timeout=TIMEOUT_S)
        action = re.search(r'action="([^"]+)"', page.text)
        assert action, page.text
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.text))
        form = {name: html.unescape(value) for name, value in fields.items()} | changes
        return session.post(html.unescape(action[1]), data=form, timeout=TIMEOUT_S)
