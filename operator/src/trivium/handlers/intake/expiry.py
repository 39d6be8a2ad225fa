"""Until when a certificate is good, as a trainer that trusts the authorities would see it.

The standard library reads certificates of peers alone, so server and client shake hands in memory.
"""

import ssl

_ROUNDS = 10
"""More than any handshake takes."""


def expiry_of(context: ssl.SSLContext, authorities: str) -> float:
    """Seconds since 1970. Raises ssl.SSLError if no trainer would accept the certificate."""
    trust = ssl.create_default_context(cadata=authorities)
    trust.check_hostname = False  # which names it needs, the chart knows
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = trust.wrap_bio(to_client, to_server)
    for _ in range(_ROUNDS):
        if all([_steps(client), _steps(server)]):
            break
    certificate = client.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def _steps(side: ssl.SSLObject) -> bool:
    """One step of a handshake; whether it is done."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
