"""A peer of the benchmark: the agent's first design, in Python.

One SQLite table, one commit for each step, at most ten captures looked up at a
time, multipart uploads with httpx. Reads from standard input, as JSON, which
paths to enqueue; with a server it delivers all it has, and prints how many
milliseconds that took.
"""

import asyncio
import json
import os
import sqlite3
import sys
import time
import uuid
from datetime import datetime, timezone

import httpx


class UploadQueue:
    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.row_factory = sqlite3.Row
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS queue (id TEXT PRIMARY KEY, filepath TEXT,"
            " metadata_json TEXT, created_at TEXT, attempts INTEGER DEFAULT 0,"
            " last_attempt TEXT, status TEXT DEFAULT 'pending')"
        )
        self.db.commit()

    def enqueue(self, filepath, metadata):
        capture_id = str(uuid.uuid4())
        self.db.execute(
            "INSERT INTO queue (id, filepath, metadata_json, created_at) VALUES (?, ?, ?, ?)",
            (capture_id, filepath, json.dumps(metadata), now()),
        )
        self.db.commit()
        return capture_id

    def get_pending(self, limit=10):
        return self.db.execute(
            "SELECT * FROM queue WHERE status = 'pending' ORDER BY created_at LIMIT ?",
            (limit,),
        ).fetchall()

    def mark_uploading(self, capture_id):
        self.db.execute(
            "UPDATE queue SET status = 'uploading', last_attempt = ?, attempts = attempts + 1"
            " WHERE id = ?",
            (now(), capture_id),
        )
        self.db.commit()

    def mark_completed(self, capture_id):
        self.db.execute("DELETE FROM queue WHERE id = ?", (capture_id,))
        self.db.commit()


class CaptureUploader:
    def __init__(self, server):
        self.url = server + "/api/captures"
        self.client = httpx.AsyncClient(timeout=30)

    async def upload(self, path, metadata, key):
        with open(path, "rb") as file:
            response = await self.client.post(
                self.url,
                data={"metadata": json.dumps(metadata)},
                files={"file": (os.path.basename(path), file.read(), "image/png")},
                headers={"Idempotency-Key": key},
            )
        response.raise_for_status()
        return response.json()["id"]


def now():
    return datetime.now(timezone.utc).isoformat()


async def drain(queue, uploader, concurrency):
    places = asyncio.Semaphore(concurrency)

    async def deliver(row):
        async with places:
            queue.mark_uploading(row["id"])
            await uploader.upload(row["filepath"], json.loads(row["metadata_json"]), row["id"])
            queue.mark_completed(row["id"])

    while rows := queue.get_pending():
        await asyncio.gather(*(deliver(row) for row in rows))


async def main():
    given = json.load(sys.stdin)
    queue = UploadQueue(given["database"])
    uploader = CaptureUploader(given["server"]) if "server" in given else None
    warm_up = given.get("warmUp", 0)
    for path in given["paths"][:warm_up]:
        queue.enqueue(path, {"door": 3})
    if warm_up:
        await drain(queue, uploader, given["concurrency"])
    for path in given["paths"][warm_up:]:
        queue.enqueue(path, {"door": 3})
    start = time.perf_counter()
    if uploader:
        await drain(queue, uploader, given["concurrency"])
    print((time.perf_counter() - start) * 1000)


if __name__ == "__main__":
    asyncio.run(main())
