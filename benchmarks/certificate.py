"""A certificate for a server under measurement."""

from pathlib import Path

import trustme


def certify(folder: Path, domain: str) -> None:
    """In `folder`: certificate.pem for the domain, key.pem, and authority.pem, whom a client has to trust."""
    authority = trustme.CA()
    issued = authority.issue_cert(domain)
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for index, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(folder / "certificate.pem"), append=index > 0)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
