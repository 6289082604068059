"""Who has the log open, and what becomes of runs whose app is gone.

A process is named by its number and the moment it began, because numbers are given out again. Another host's
processes are taken for gone: SQLite's WAL only works among processes of one machine.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gazeviz.store.reader import LogReader

UNFINISHED: Final = ("queued", "loading", "running")
LOST_MESSAGE: Final = "The program that ran it ended before it was done."
CLOSED_MESSAGE: Final = "The log was closed before it was done."
_COMPUTES: Final = " computes "
"""Stands in a program's line between it and the evaluation that it took up."""


def begin(connection: sqlite3.Connection, program: str) -> int:
    """Write down that this process has the log open, and return the number of that."""
    cursor = connection.execute(
        "INSERT INTO openings(program, pid, process_began, host, opened_s) VALUES (?, ?, ?, ?, ?)",
        (program, os.getpid(), process_began(os.getpid()) or "", socket.gethostname(), time.time()),
    )
    return int(cursor.lastrowid or 0)


def end(connection: sqlite3.Connection, opening_id: int) -> None:
    """Write down that the log is closed; a run that is left unfinished is lost."""
    _lose(connection, opening_id, CLOSED_MESSAGE)
    connection.execute("UPDATE openings SET closed_s = ? WHERE id = ?", (time.time(), opening_id))


def takes_up(connection: sqlite3.Connection, opening_id: int, evaluation: str) -> None:
    """Write down which evaluation this process computes, with the program that has the log open."""
    connection.execute(
        "UPDATE openings SET program = CASE WHEN instr(program, ?1) = 0 THEN program"
        " ELSE substr(program, 1, instr(program, ?1) - 1) END || ?1 || ?2 WHERE id = ?3",
        (_COMPUTES, evaluation, opening_id),
    )


def who_computes(reader: LogReader) -> dict[str, int]:
    """Evaluations that living processes of this machine took up last, each with a process's number."""
    rows = reader.rows(
        "SELECT program, pid, process_began, host FROM openings WHERE closed_s IS NULL AND instr(program, ?)",
        (_COMPUTES,),
    )
    return {
        program.partition(_COMPUTES)[2]: pid
        for program, pid, began, host in rows
        if host == socket.gethostname() and is_alive(pid, began)
    }


def mark_lost(connection: sqlite3.Connection) -> int:
    """Mark the unfinished runs of processes that are gone as lost; returns how many there were."""
    rows = connection.execute("SELECT id, pid, process_began, host FROM openings WHERE closed_s IS NULL")
    n_runs = 0
    for opening_id, pid, began, host in rows.fetchall():
        if host == socket.gethostname() and is_alive(pid, began):
            continue
        n_runs += _lose(connection, opening_id, LOST_MESSAGE)
        connection.execute("UPDATE openings SET closed_s = opened_s WHERE id = ?", (opening_id,))
    return n_runs


def forget_empty_sessions(connection: sqlite3.Connection) -> None:
    """Remove sessions that were opened and left without anything being done in them.

    The app looks once at a picture by itself, and takes up rankings that earlier sessions have: neither is
    anything that a person did.
    """
    unmarked = " AND ".join(
        f"id NOT IN (SELECT session_id FROM {table} WHERE session_id IS NOT NULL)"
        for table in ("region_edits", "head_sets", "notes")
    )
    connection.execute(
        f"""DELETE FROM sessions WHERE is_named = 0
            AND opening_id IN (SELECT id FROM openings WHERE closed_s IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM runs WHERE session_id = sessions.id AND side <> 'glance')
            AND NOT EXISTS (SELECT 1 FROM session_rankings AS its WHERE its.session_id = sessions.id
                AND its.ranking_id NOT IN (SELECT ranking_id FROM session_rankings AS earlier
                    WHERE earlier.session_id < its.session_id))
            AND {unmarked}"""
    )
    connection.execute(
        "DELETE FROM openings WHERE closed_s IS NOT NULL AND id NOT IN (SELECT opening_id FROM sessions "
        "WHERE opening_id IS NOT NULL UNION SELECT opening_id FROM runs WHERE opening_id IS NOT NULL)"
    )


def is_alive(pid: int, began: str) -> bool:
    """Whether the process that began then still lives; where its beginning cannot be told, any of its
    number."""
    now = process_began(pid)
    return now is not None and (not began or not now or now == began)


def process_began(pid: int) -> str | None:
    """Say when a process began, in the system's own words; "" where it does not tell, None without one."""
    if Path("/proc/self/stat").is_file():
        return _began_linux(pid)
    if os.name == "nt":
        return _began_windows(pid)
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or None


def _began_linux(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except OSError:
        return ""
    if fields[0] in "ZX":  # dead, and only its parent has not noticed
        return None
    return f"{boot}:{fields[19]}"  # clock ticks from the start of the machine: field 22 of proc(5)


def _began_windows(pid: int) -> str | None:
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = wintypes.HANDLE
    query_limited_information = 0x1000
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return None
    created, ended, *rest = (wintypes.FILETIME() for _ in range(4))
    known = kernel.GetProcessTimes(wintypes.HANDLE(handle), *map(ctypes.byref, (created, ended, *rest)))
    kernel.CloseHandle(wintypes.HANDLE(handle))
    if not known:
        return ""
    if ended.dwLowDateTime or ended.dwHighDateTime:
        return None
    return f"{created.dwHighDateTime}:{created.dwLowDateTime}"


def _lose(connection: sqlite3.Connection, opening_id: int, message: str) -> int:
    """Close an opening's unfinished runs; what had arrived of their texts becomes their text."""
    marks = ", ".join("?" * len(UNFINISHED))
    cursor = connection.execute(
        f"""UPDATE runs SET state = 'lost', message = ?, ended_s = ?,
            n_tok = (SELECT count(*) FROM run_steps WHERE run_id = runs.id),
            text = coalesce((SELECT group_concat(text, '') FROM (SELECT text FROM run_steps
                WHERE run_id = runs.id ORDER BY number)), '')
            WHERE opening_id = ? AND state IN ({marks})""",
        (message, time.time(), opening_id, *UNFINISHED),
    )
    return cursor.rowcount
