"""The leak test: marked secrets planted everywhere, the real command run against the sandbox, all it leaves searched.

`bulkpause.leaks.trial` has it all; nothing is imported here, because the commands under test start in this package.
"""
