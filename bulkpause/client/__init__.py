"""The report API over HTTP: one session, and every wire failure turned into a value."""

from bulkpause.client.failures import describe
from bulkpause.client.probing import Probe
from bulkpause.client.session import ReportClient
from bulkpause.client.settings import ClientSettings
from bulkpause.client.tokens import FakeTokens, TokenSource
from bulkpause.client.warming import warm_up

__all__ = ["ClientSettings", "FakeTokens", "Probe", "ReportClient", "TokenSource", "describe", "warm_up"]
