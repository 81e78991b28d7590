"""What an index is of, and where its arrays lie: the small record that everything else is found by."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from orchestrator.index.plan import IndexPlan
from orchestrator.store import ArtifactStore, digest_of


class IndexRecord(BaseModel):
    """What an index is of, and where its arrays lie. Its id is the hash of everything else in it."""

    model_config = ConfigDict(frozen=True)

    id: str
    plan: IndexPlan
    set_hash: str
    unreadable: tuple[tuple[int, str, str], ...]  # image, path, reason
    arrays: str
    residuals: str = ""  # the artifact with the directions made of activations; "": none were summed

    @classmethod
    def make(
        cls, plan: IndexPlan, *, set_hash: str, unreadable: Sequence[tuple[int, str, str]], arrays: str, residuals: str
    ) -> IndexRecord:
        """A record with its id."""
        content = {
            "plan": plan.model_dump(mode="json"),
            "set_hash": set_hash,
            "arrays": arrays,
            "residuals": residuals,
        }
        return cls(
            id=digest_of(content)[:16],
            plan=plan,
            set_hash=set_hash,
            unreadable=tuple(unreadable),
            arrays=arrays,
            residuals=residuals,
        )

    @property
    def pointer(self) -> str:
        """The record's name in the artifact store."""
        return f"indexes/{self.id}"


def publish(store: ArtifactStore, record: IndexRecord) -> None:
    """Make the index known by its id, for ever, and by its name, until a later one takes it."""
    store.claim(record.pointer, record.model_dump_json().encode())
    store.point(f"index-names/{record.plan.name}", record.id.encode())
