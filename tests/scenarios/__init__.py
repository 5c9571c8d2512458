"""Weeks of traffic as applications have it, with incidents of known cause in it: for what watches logs to find."""
