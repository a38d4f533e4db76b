"""Engines written the way they usually are, and other clients: what bulkpause is measured against."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from uuid import uuid4

import aiohttp
from aiolimiter import AsyncLimiter

from benchmarks.contestants import TOKEN, UNREACHABLE_PER_S, Contestant, Work

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def peer(name: str) -> Contestant:
    """The peer of that name. Raises ModuleNotFoundError if what it is made of is not installed."""
    needs = {"naive": "tenacity", "requests": "requests", "httpx": "httpx"}
    import_module(needs[name])
    return {"naive": naive, "requests": requests_with_threads, "httpx": httpx_with_gather}[name]


def naive(work: Work) -> int:
    """A task per id behind a semaphore, AsyncLimiter, tenacity, `r.json()`, a flush per line, structlog uncached."""
    return asyncio.run(_naive(work))


async def _naive(work: Work) -> int:
    import structlog  # noqa: PLC0415

    tenacity = import_module("tenacity")

    slots, limiter = asyncio.Semaphore(work.concurrency), AsyncLimiter(UNREACHABLE_PER_S, 1)
    file = (work.folder / f"naive-{uuid4()}.jsonl").open("w", encoding="utf-8")
    log_file = (work.folder / "naive.log").open("w", encoding="utf-8")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(log_file), cache_logger_on_first_use=False)
    log = structlog.get_logger()

    async def put_once(session: aiohttp.ClientSession, report_id: str) -> tuple[int, object]:
        async with limiter, session.put(work.url(report_id), headers=HEADERS) as response:
            response.raise_for_status()
            return response.status, await response.json()

    put = tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_random_exponential(max=60))(put_once)

    async def pause(session: aiohttp.ClientSession, report_id: str) -> bool:
        async with slots:
            status, reply = await put(session, report_id)
        line = {"id": report_id, "at": datetime.now(UTC).isoformat(), "status": status, "reply": reply}
        file.write(json.dumps(line) + "\n")
        file.flush()
        log.info("report paused", report_id=report_id, status=status)
        return bool(status == 200)

    with file, log_file:
        async with aiohttp.ClientSession() as session:
            return sum(await asyncio.gather(*(pause(session, report_id) for report_id in work.ids)))


def requests_with_threads(work: Work) -> int:
    """One requests session and a thread per connection."""
    import requests  # noqa: PLC0415
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    with requests.Session() as session, ThreadPoolExecutor(work.concurrency) as pool:
        session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=work.concurrency))
        session.trust_env = False
        session.headers.update(HEADERS)

        def put(report_id: str) -> bool:
            response = session.put(work.url(report_id), timeout=30)
            return response.json() is not None and response.status_code == 200

        return sum(pool.map(put, work.ids))


def httpx_with_gather(work: Work) -> int:
    """One httpx client, gather over all ids and a semaphore."""
    return asyncio.run(_httpx_with_gather(work))


async def _httpx_with_gather(work: Work) -> int:
    httpx = import_module("httpx")
    slots = asyncio.Semaphore(work.concurrency)
    limits = httpx.Limits(max_connections=work.concurrency, max_keepalive_connections=work.concurrency)
    async with httpx.AsyncClient(headers=HEADERS, limits=limits, timeout=30, trust_env=False) as client:

        async def put(report_id: str) -> bool:
            async with slots:
                response = await client.put(work.url(report_id))
            return response.json() is not None and response.status_code == 200

        return sum(await asyncio.gather(*map(put, work.ids)))
