"""What an operator should do about the index in a cluster."""

from __future__ import annotations

from elastic_transport import ApiError, TransportError

from store.elastic.client import Cluster, in_words, open_client, soon
from store.elastic.indices import Indices
from store.elastic.names import Names
from store.elastic.state import StateDocument


def advice_on(cluster: Cluster) -> list[str]:
    """Return one line for each thing that somebody should do; a cluster that does not answer is one."""
    client = open_client(cluster, **soon(cluster))
    try:
        stored = StateDocument(client, Names.of(cluster)).read()
        if stored is None or stored.state is None:
            return []
        grown = Indices(client, cluster).outgrown(stored.state)
        rows = {name: entry.rows for name, entry in stored.state.tables.items()}
    except (ApiError, TransportError) as error:
        return [in_words(error)]
    finally:
        client.close()
    return [
        f"{name} has {rows[name]:,} rows in {_counted(shards)}, meant for {cluster.rows_per_shard:,} each: "
        f"onedfs index rebuild gives it {wanted}"
        for name, (shards, wanted) in grown.items()
    ]


def _counted(shards: int) -> str:
    return "1 shard" if shards == 1 else f"{shards} shards"
