"""A detector of detect-secrets for API keys of Sluice itself."""

import re

from detect_secrets.plugins.base import RegexBasedDetector


class SluiceKeyDetector(RegexBasedDetector):
    """slc_<key id>_<secret>_<check>"""

    secret_type = "Sluice API key"  # noqa: S105 - the name of a kind
    denylist = (re.compile(r"\bslc_[a-z2-7]{16}_[a-z2-7]{52}_[a-z2-7]{8}\b"),)
