"""Every protocol's example is answered."""

from __future__ import annotations

import pytest

from tests.archive.conftest import SmallArchive
from vo.protocols import PROTOCOLS, Protocol


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])
def test_every_example_is_answered(small: SmallArchive, protocol: Protocol) -> None:
    path, parameters = protocol.example
    reply = small.client.get(f"{protocol.path}{path}", params=parameters)
    assert reply.status_code == 200, reply.text
    assert "ERROR" not in reply.text
