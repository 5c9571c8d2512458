"""python -m supply_chain secrets: whether a file of the repository holds what looks like a secret.
python -m supply_chain audit [--strict]: whether a locked package has a known vulnerability; strict: or may have.
python -m supply_chain sbom DIRECTORY: writes what the layer and the dashboard are made of, as CycloneDX documents."""

import sys
from pathlib import Path

from supply_chain import audit, sbom, secrets

match sys.argv[1:]:
    case ["secrets"]:
        sys.exit(secrets.main())
    case ["audit", *options] if set(options) <= {"--strict"}:
        sys.exit(audit.main(is_strict="--strict" in options))
    case ["sbom", directory]:
        sbom.main(Path(directory))
    case _:
        sys.exit(__doc__)
