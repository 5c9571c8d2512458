"""Sends what a Python program logs to Sluice: `logging.getLogger().addHandler(SluiceHandler())`."""

from sluice_logging.handler import SluiceHandler, SluiceProcessor, flush, flush_after

__all__ = ["SluiceHandler", "SluiceProcessor", "flush", "flush_after"]
