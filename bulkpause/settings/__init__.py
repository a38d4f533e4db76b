"""The settings of one invocation: what can be set (`tree`), by whom (`sources`), what it comes to (`load`)."""

from bulkpause.settings.checks import SettingError
from bulkpause.settings.inheritance import without_secrets
from bulkpause.settings.load import Loaded, describe, load
from bulkpause.settings.references import resolve_secrets
from bulkpause.settings.sources import FILE_NAME, FLAGS, default_config_dir
from bulkpause.settings.tree import (
    Api,
    Audit,
    Auth,
    Flow,
    Halt,
    Log,
    LogFormat,
    LogLevel,
    Progress,
    Retry,
    Run,
    Settings,
    setting_values,
    settings_digest,
)
from bulkpause.settings.values import Command, Duration, GuardList, ProxyUrl, Rate, Secret, SecretReference, Until

__all__ = [
    "FILE_NAME",
    "FLAGS",
    "Api",
    "Audit",
    "Auth",
    "Command",
    "Duration",
    "Flow",
    "GuardList",
    "Halt",
    "Loaded",
    "Log",
    "LogFormat",
    "LogLevel",
    "Progress",
    "ProxyUrl",
    "Rate",
    "Retry",
    "Run",
    "Secret",
    "SecretReference",
    "SettingError",
    "Settings",
    "Until",
    "default_config_dir",
    "describe",
    "load",
    "resolve_secrets",
    "setting_values",
    "settings_digest",
    "without_secrets",
]
