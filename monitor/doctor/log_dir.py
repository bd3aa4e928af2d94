"""Facts about a log directory -> diagnoses. Pure."""

from __future__ import annotations

import msgspec

from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, command, ok, trouble, unknown
from monitor.presentation import visible

REACH, SHARED = "log.reach", "log.rights"


class LogDirFacts(msgspec.Struct, frozen=True):
    """`closed` are the topics whose folders this user cannot write to. `shared` are sentences about
    places where users can write in the name of others. `owner` is a user id.
    """

    is_there: bool
    owner: int = 0
    closed: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


def judge_log_dir(role: str, directory: str, learnt: Learnt[LogDirFacts]) -> list[Diagnosis]:
    """All checks of a log directory, as a monitor, a gate or an agent uses it."""
    place = f"{role} log:{visible(directory)}"
    if isinstance(learnt, NotLearnt):
        return [unknown(REACH, place, learnt.reason), unknown(SHARED, place, learnt.reason)]
    if not learnt.is_there:
        text = "there is no directory at this path; a monitor or a gate makes it at its start"
        mend = command("mkdir", "-m", "755", "-p", directory)
        return [trouble(REACH, place, text, mend, is_required=role == "agent")]
    found = [
        trouble(
            REACH,
            place,
            f"this user cannot write records of `{topic}` there",
            command("ls", "-ld", f"{directory}/{topic}", directory),
        )
        for topic in learnt.closed
    ]
    doubts = [trouble(SHARED, place, visible(text, 600)) for text in learnt.shared]
    return [
        *(found or [ok(REACH, place, "it can be read and written")]),
        *(
            doubts
            or [
                ok(
                    SHARED,
                    place,
                    f"only processes of its owner (uid {learnt.owner}) can write for others",
                )
            ]
        ),
    ]
