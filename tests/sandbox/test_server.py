"""The sandbox on real sockets: TLS, real MSAL, the real aiohttp client, and connections that end badly."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msal
import orjson
import pytest
import requests
import trustme

from bulkpause.models import Operation, ReportId
from bulkpause.sandbox import Latency, Sandbox, SandboxSettings, parse_fault, serve_in_thread
from tests.sandbox.tenant import SCOPE

TRANSPORTS = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])


def settings(*faults: str, **fields: Any) -> SandboxSettings:
    return SandboxSettings(faults=tuple(map(parse_fault, faults)), **{"reports": 5, **fields})


@asynccontextmanager
async def client(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """One connection, so that it is reused."""
    connector = aiohttp.TCPConnector(limit=1, ssl=ssl.create_default_context(cafile=sandbox.ca_file))
    headers = {"Authorization": f"Bearer {sandbox.issue_token()}", "Content-Length": "0"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield session


async def put(session: aiohttp.ClientSession, sandbox: Sandbox, report_id: ReportId) -> tuple[int, bytes]:
    async with session.put(f"{sandbox.base_url}/ScheduledReport/pause/{report_id}") as response:
        return response.status, await response.read()


async def raw_put(sandbox: Sandbox) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A pause without a client that mends things."""
    url = urlsplit(sandbox.base_url)
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(
        f"PUT {url.path}/ScheduledReport/pause/{sandbox.report_ids[0]} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {sandbox.issue_token()}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    return reader, writer


async def arrived(sandbox: Sandbox) -> None:
    """Return once the first PUT is in the journal."""
    while not sandbox.journal.puts:  # noqa: ASYNC110 - the journal tells nobody
        await asyncio.sleep(0)


def outcomes(sandbox: Sandbox) -> list[int | str]:
    return [entry.status for entry in sandbox.journal.puts]


@contextmanager
def entra(sandbox: Sandbox, credential: object) -> Iterator[msal.ConfidentialClientApplication]:
    """Real MSAL, over real TLS."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(sandbox.ca_file)
        yield msal.ConfidentialClientApplication(
            sandbox.client_id,
            client_credential=credential,
            authority=sandbox.authority,
            instance_discovery=False,
            http_client=session,
        )


def test_real_msal_gets_a_token_with_the_secret_and_the_api_takes_it() -> None:
    with serve_in_thread(settings()) as sandbox, entra(sandbox, sandbox.client_secret) as app:
        token = app.acquire_token_for_client([SCOPE])
        assert token["token_source"] == "identity_provider"
        assert app.acquire_token_for_client([SCOPE])["token_source"] == "cache"
        response = requests.get(
            f"{sandbox.base_url}/ScheduledReport",
            headers={"Authorization": f"Bearer {token['access_token']}"},
            verify=str(sandbox.ca_file),
            proxies={"https": ""},
            timeout=5,
        )
        assert response.json()["totalCount"] == 5
        assert [(entry.operation, entry.status) for entry in sandbox.journal.entries] == [
            ("discovery", 200), ("token", 200), ("list", 200),
        ]  # fmt: skip


def test_real_msal_gets_a_token_with_a_certificate() -> None:
    certificate = trustme.CA().issue_cert("client.example", key_type=trustme.KeyType.RSA)
    credential = {
        "private_key": certificate.private_key_pem.bytes().decode(),
        "public_certificate": certificate.cert_chain_pems[0].bytes().decode(),
    }
    with serve_in_thread(settings()) as sandbox, entra(sandbox, credential) as app:
        assert "access_token" in app.acquire_token_for_client([SCOPE])


def test_real_msal_reports_a_refused_secret() -> None:
    with serve_in_thread(settings()) as sandbox, entra(sandbox, "wrong") as app:
        refused = app.acquire_token_for_client([SCOPE])
    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [7000215])


def test_real_msal_refuses_an_unknown_tenant() -> None:
    with serve_in_thread(settings()) as sandbox, entra(sandbox, "any") as app:
        del app
        sandbox.tenant_id = "nowhere"
        with pytest.raises(ValueError, match="Unable to get authority"), entra(sandbox, "any"):
            pass


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("503*1@token", msal.exceptions.MsalServiceError),
        ("html*1@token", ValueError),
        ("cut*1@token", ValueError),
        ("drop*1@token", requests.ConnectionError),
        ("reset*1@token", requests.ConnectionError),
        ("lost*1@token", requests.ConnectionError),
    ],
)
def test_real_msal_raises_what_it_raises_and_gets_a_token_later(fault: str, error: type[Exception]) -> None:
    with serve_in_thread(settings(fault)) as sandbox:
        with entra(sandbox, sandbox.client_secret) as app, pytest.raises(error):
            app.acquire_token_for_client([SCOPE])
        with entra(sandbox, sandbox.client_secret) as app:
            assert "access_token" in app.acquire_token_for_client([SCOPE])
        assert [entry.fault for entry in sandbox.journal.entries if entry.operation == "token"] == [fault, None]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("429:2*1@token", "temporarily_unavailable"), ("invalid-client*1@token", "invalid_client")],
)
def test_real_msal_returns_what_it_returns(fault: str, error: str) -> None:
    with serve_in_thread(settings(fault)) as sandbox, entra(sandbox, sandbox.client_secret) as app:
        assert app.acquire_token_for_client([SCOPE])["error"] == error


def test_real_msal_asks_anew_for_every_short_lived_token() -> None:
    with serve_in_thread(settings(token_lifetime_s=3)) as sandbox, entra(sandbox, sandbox.client_secret) as app:
        tokens = {app.acquire_token_for_client([SCOPE])["access_token"] for _ in range(3)}
        assert len(tokens) == 3
        assert [entry.operation for entry in sandbox.journal.entries].count("token") == 3


def test_discovery_can_fail_as_well() -> None:
    with (
        serve_in_thread(settings("503*1@discovery")) as sandbox,
        pytest.raises(msal.exceptions.MsalServiceError),
        entra(sandbox, "any"),
    ):
        pass


def test_a_sandbox_in_a_thread_serves_while_its_maker_is_busy() -> None:
    with serve_in_thread(settings(tls=False)) as sandbox:
        loops = {thread.name for thread in threading.enumerate()}
        url = f"{sandbox.base_url}/ScheduledReport/pause/{sandbox.report_ids[0]}"
        headers = {"Authorization": f"Bearer {sandbox.issue_token()}", "Content-Length": "0"}
        with requests.Session() as session:
            session.trust_env = False
            assert session.put(url, headers=headers, timeout=5).status_code == 200
        assert "sandbox" in loops
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}


def test_a_colleague_changes_a_report_from_another_thread() -> None:
    with serve_in_thread(settings(tls=False)) as sandbox:
        first = sandbox.report_ids[0]
        assert [sandbox.change(first, Operation.PAUSE) for _ in range(2)] == [True, False]
        assert sandbox.report_statuses[first] == "Paused"
        with pytest.raises(ValueError, match="cannot be resumed"):
            sandbox.change(ReportId("00000000-0000-4000-8000-000000000000"), Operation.RESUME)
        assert sandbox.journal.entries == ()


@TRANSPORTS
async def test_what_the_client_sees_is_what_the_journal_and_its_file_say(tmp_path: Path, *, tls: bool) -> None:
    file = tmp_path / "journal.jsonl"
    async with Sandbox(settings("500*1@n=2", tls=tls, journal=file)) as sandbox, client(sandbox) as session:
        seen = [(await put(session, sandbox, report_id))[0] for report_id in sandbox.report_ids]
        lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
        assert seen == [200, 500, 200, 200, 200]
        assert outcomes(sandbox) == [line["status"] for line in lines] == seen
        assert [line["report_id"] for line in lines] == list(sandbox.report_ids)
        assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
        assert {line["connection"] for line in lines} == {1}
        assert list(sandbox.report_statuses.values()) == ["Paused", "Active", "Paused", "Paused", "Paused"]
        assert sandbox.base_url.startswith("https" if tls else "http:")


async def test_a_client_that_does_not_know_the_authority_is_turned_away() -> None:
    async with Sandbox(settings()) as sandbox, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(sandbox.base_url, ssl=ssl.create_default_context())
        assert sandbox.journal.entries == ()


@TRANSPORTS
@pytest.mark.parametrize(
    ("fault", "outcomes_seen", "effect"),
    [("drop*2", ["dropped"] * 2, False), ("reset*2", ["reset"] * 2, False), ("lost*2", ["lost"] * 2, True)],
)
async def test_a_connection_that_ends_without_a_reply_is_an_error_after_aiohttps_second_try(
    fault: str, outcomes_seen: list[str], *, effect: bool, tls: bool
) -> None:
    async with Sandbox(settings(fault, tls=tls)) as sandbox, client(sandbox) as session:
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await put(session, sandbox, sandbox.report_ids[0])
        assert outcomes(sandbox) == outcomes_seen
        assert {entry.effect for entry in sandbox.journal.puts} == {effect}
        assert (await put(session, sandbox, sandbox.report_ids[0]))[0] == 200
        assert [entry.connection for entry in sandbox.journal.puts] == [1, 2, 3]


@TRANSPORTS
async def test_a_torn_body_is_an_error_on_reading(*, tls: bool) -> None:
    async with Sandbox(settings("torn*1", tls=tls)) as sandbox, client(sandbox) as session:
        with pytest.raises(aiohttp.ClientPayloadError):
            await put(session, sandbox, sandbox.report_ids[0])
        assert [(entry.status, entry.effect) for entry in sandbox.journal.puts] == [("torn", True)]


@pytest.mark.parametrize(("fault", "end"), [("drop", b""), ("reset", None)])
async def test_a_drop_ends_the_stream_and_a_reset_breaks_it(fault: str, end: bytes | None) -> None:
    async with Sandbox(settings(fault, tls=False)) as sandbox:
        reader, writer = await raw_put(sandbox)
        if end is None:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        else:
            assert await reader.read() == end
        writer.close()


@TRANSPORTS
@pytest.mark.parametrize(
    ("fault", "journal"),
    [
        ("close*1@n=1", [200, "dropped", 200]),
        ("drop*1@n=2", [200, "dropped", 200]),
        ("lost*1@n=2", [200, "lost", 200]),
    ],
)
async def test_a_kept_alive_connection_that_dies_makes_aiohttp_send_twice(
    fault: str, journal: list[int | str], *, tls: bool
) -> None:
    async with Sandbox(settings(fault, tls=tls)) as sandbox, client(sandbox) as session:
        seen = [(await put(session, sandbox, report_id))[0] for report_id in sandbox.report_ids[:2]]
        assert seen == [200, 200]
        assert outcomes(sandbox) == journal
        assert sandbox.journal.puts[1].report_id == sandbox.journal.puts[2].report_id == sandbox.report_ids[1]


@TRANSPORTS
async def test_a_hanging_reply_keeps_neither_the_client_nor_the_sandbox(*, tls: bool) -> None:
    async with Sandbox(settings("hang*1", tls=tls)) as sandbox, client(sandbox) as session:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(put(session, sandbox, sandbox.report_ids[0]), 0.1)
        assert (await put(session, sandbox, sandbox.report_ids[0]))[0] == 200
        assert outcomes(sandbox) == ["hung", 200]


async def test_the_sandbox_ends_while_a_request_hangs() -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        async with Sandbox(settings("hang", tls=False)) as sandbox:
            reader, writer = await raw_put(sandbox)
            answer = group.create_task(reader.read())
            await arrived(sandbox)
        writer.close()
    assert answer.result() == b""


async def test_latency_is_waited_for() -> None:
    async with Sandbox(settings(tls=False, latency=Latency(0.05, 0.05))) as sandbox, client(sandbox) as session:
        before = asyncio.get_running_loop().time()
        await put(session, sandbox, sandbox.report_ids[0])
        assert asyncio.get_running_loop().time() - before >= 0.05
        assert sandbox.journal.puts[0].delay_ms == 50


async def test_gzip_and_huge_bodies_arrive_whole() -> None:
    async with Sandbox(settings("gzip*1+huge*1")) as sandbox, client(sandbox) as session:
        for least in (1, 1_048_576):
            _, body = await put(session, sandbox, sandbox.report_ids[0])
            assert len(body) > least
            assert orjson.loads(body)["statusCode"] == 200


async def test_tokens_can_be_revoked_and_their_end_is_the_journals_business() -> None:
    async with Sandbox(settings()) as sandbox, client(sandbox) as session:
        statuses = [(await put(session, sandbox, sandbox.report_ids[0]))[0]]
        sandbox.revoke_tokens()
        statuses.append((await put(session, sandbox, sandbox.report_ids[0]))[0])
        first, second = sandbox.journal.puts
        assert statuses == [200, 401]
        assert first.token == second.token is not None


async def test_the_raw_target_is_journaled_as_it_was_sent() -> None:
    async with Sandbox(settings(tls=False)) as sandbox, client(sandbox) as session:
        url = urlsplit(sandbox.base_url)
        reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
        writer.write(b"PUT /insights/v1/mpn/ScheduledReport/pause/..%2Fresume?x=1 HTTP/1.0\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 401")
        writer.close()
        assert sandbox.journal.puts[0].path.endswith("/pause/..%2Fresume?x=1")
        async with session.get(f"http://localhost:{url.port}/_sandbox/journal") as response:
            assert orjson.loads(await response.read())["status"] == 401


def test_the_authority_is_thrown_away_and_nobody_listens_when_the_sandbox_is_over() -> None:
    with serve_in_thread(settings()) as sandbox:
        assert sandbox.ca_file.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        port = urlsplit(sandbox.base_url).port
    assert not sandbox.ca_file.exists()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port or 0), timeout=1)


def test_what_keeps_the_sandbox_from_starting_raises_where_it_was_asked_for(tmp_path: Path) -> None:
    with serve_in_thread(settings()) as sandbox:
        port = urlsplit(sandbox.base_url).port
        with pytest.raises(OSError, match=r"in use|WinError"), serve_in_thread(settings(port=port)):
            pass
    with pytest.raises(FileNotFoundError), serve_in_thread(settings(journal=tmp_path / "none" / "journal")):
        pass


def test_an_error_in_the_block_ends_the_sandbox_and_is_passed_on() -> None:
    with pytest.raises(KeyError), serve_in_thread(settings()) as sandbox:
        raise KeyError
    assert not sandbox.ca_file.exists()


@pytest.mark.parametrize("skew_s", [0.0, 700.0, -40.0])
async def test_its_clock_may_be_another(skew_s: float) -> None:
    async with (
        Sandbox(settings(clock_skew_s=skew_s)) as sandbox,
        client(sandbox) as session,
        session.get(f"{sandbox.base_url}/ScheduledReport") as response,
    ):
        date = parsedate_to_datetime(response.headers["Date"])
    assert (date - datetime.now(UTC)).total_seconds() == pytest.approx(skew_s, abs=3)
